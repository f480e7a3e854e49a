"""Figure of docs/science/mem_ge.md: four MEM_GE pictures of the flare of 2020-06-07 and what they leave unexplained."""

import pickle
import warnings
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import numpy as np

from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.mem import EarlyStop, FluxEstimate, MemGeParameters, Regularization, mem_ge
from stixcore.instrument.geometry import IMAGING_LABELS
from stixcore.visibility.visibilities import Visibilities

PICTURES = {
    "optimum (default)": MemGeParameters(),
    "ground software": MemGeParameters(early_stop=EarlyStop.GSW),
    "λ by discrepancy": MemGeParameters(regularization=Regularization.DISCREPANCY),
    "optimum, F = max |V|": MemGeParameters(flux_estimate=FluxEstimate.AMPLITUDE),
}


def june_2020() -> Visibilities:
    """Read the 24 visibilities that the package xrayvisim ships."""
    package = find_spec("xrayvision")
    if package is None or package.origin is None:
        message = "install xrayvisim"
        raise ModuleNotFoundError(message)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = pickle.loads((Path(package.origin).parent / "data" / "stix_vis.pkl").read_bytes())[-1]  # noqa: S301 - a package's
    return Visibilities(stored.u.value, stored.v.value, stored.vis.value, stored.amplitude_error.value, IMAGING_LABELS)


def draw(output: Path) -> None:
    """Write the figure."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    vis, grid = june_2020(), ImageGrid((129, 129), 2.0)
    operator = FourierOperator(vis.u, vis.v, grid)
    figure, axes = plt.subplots(2, 4, figsize=(13, 6), height_ratios=(2, 1), layout="constrained")
    for column, (name, parameters) in enumerate(PICTURES.items()):
        result = mem_ge(vis, grid, parameters)
        picture, residuals = axes[:, column]
        shown = picture.imshow(
            1e3 * result.image, origin="lower", extent=(-129, 129, -129, 129), vmin=0, vmax=13, cmap="inferno"
        )
        picture.set(
            title=f"{name}\nχ² = {result.chi2:.2f}, F = {result.total_flux:.1f}", xlim=(-70, 70), ylim=(-70, 70)
        )
        picture.set_xlabel("arcsec")
        difference = (operator.forward(result.image) - vis.vis) / vis.sigma
        position = np.arange(len(vis))
        residuals.plot(position, difference.real, "o", position, difference.imag, "s", markersize=4)
        residuals.axhline(0, color="gray", linewidth=0.8)
        residuals.set(ylim=(-6, 6), xlabel="visibility")
        residuals.set_xticks(position[::3], [label[:-1] for label in IMAGING_LABELS[::3]])
    axes[1, 0].set_ylabel("(model − data) / σ")
    axes[1, 0].legend(["Re", "Im"], ncols=2, fontsize="small")
    figure.colorbar(shown, ax=axes[0], label="10⁻³ ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻²")
    figure.savefig(output, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".png"))
