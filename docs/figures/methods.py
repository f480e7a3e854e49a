"""Figures of docs/science/methods.md: the example flare by every method, and what each image leaves unexplained."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

from docs.makers.example import ExampleFiles
from stixcore import ImageSet, Method
from stixcore.imaging.fourier import FourierOperator
from stixcore.simulation.flare import Flare, mean_level
from stixcore.simulation.sources import visibilities
from stixcore.simulation.spectrum import integrate

HALF_FIELD = 60.0  # arcsec


def draw(files: ExampleFiles, images: ImageSet, folder: Path) -> dict[str, Path]:
    """Write a figure per method; returns their paths by method."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    truth = smeared_truth(files.flare, images)
    written = {}
    for method in (Method.BP, Method.CLEAN, Method.MS_CLEAN, Method.EM, Method.MEM_GE, Method.VIS_FWDFIT):
        image = images.images[method]
        (x, y), half = image.grid.center, image.grid.pixel * image.grid.shape[0] / 2.0
        extent = (x - half, x + half, y - half, y + half)
        figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.5, 3.4), layout="constrained")
        for axes, picture, title in ((left, truth, "what was simulated (6″ beam)"), (middle, image.image, str(method))):
            axes.imshow(picture, origin="lower", extent=extent, vmin=0.0, cmap="inferno")
            axes.set(xlim=(x - HALF_FIELD, x + HALF_FIELD), ylim=(y - HALF_FIELD, y + HALF_FIELD), title=title)
            axes.set(xlabel="solar x [arcsec]", ylabel="solar y [arcsec]" if axes is left else "")
        if method is Method.BP:
            _draw_beam(right, images)
        else:
            _draw_amplitudes(right, images, image.planes.get("components", image.image), image.chi2)
        written[str(method)] = folder / f"{method}.png"
        figure.savefig(written[str(method)], dpi=80)
        plt.close(figure)
    return written


def smeared_truth(flare: Flare, images: ImageSet) -> np.ndarray:
    """The flare on the grid of the images, in their window and band, seen with a beam of 6″."""
    grid = images.recipe.grid
    frequency = np.fft.fftfreq(512, grid.pixel)
    u, v = (plane.ravel() for plane in np.meshgrid(frequency, frequency))
    start, duration = np.array([images.pixels.t_start]), np.array([images.pixels.duration])
    band = np.array([images.pixels.e_low, images.pixels.e_high])
    seen = np.zeros(u.size, dtype=complex)
    for component in flare.components:
        flux = integrate(component.spectrum, band)[0] * mean_level(component.profile, start, duration)[0]
        seen += flux * visibilities(component.sources, u, v)
    x, y = grid.center
    seen *= np.exp(-2j * np.pi * (u * x + v * y))
    beam = np.exp(-(np.pi**2) * (u**2 + v**2) * 6.0**2 / (4.0 * np.log(2.0)))
    # V carries e^{+2πi(ux+vy)}, so the picture is its transform with the other sign
    picture = np.fft.fftshift(np.fft.fft2((seen * beam).reshape(512, 512)).real)
    (ny, nx), middle = grid.shape, 256
    return picture[middle - ny // 2 : middle + ny // 2 + 1, middle - nx // 2 : middle + nx // 2 + 1]


def _draw_beam(axes, images) -> None:
    vis, grid = images.vis, images.recipe.grid
    beam = FourierOperator(vis.u, vis.v, grid).point_spread(np.ones(len(vis)))
    n, half = beam.shape[0] // 2, round(HALF_FIELD / grid.pixel)
    inner = beam[n - half : n + half + 1, n - half : n + half + 1]
    shown = axes.imshow(inner, origin="lower", extent=(-HALF_FIELD, HALF_FIELD) * 2, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(title="dirty beam", xlabel="arcsec")
    axes.figure.colorbar(shown, ax=axes)


def _draw_amplitudes(axes, images, model, chi2) -> None:
    vis = images.vis
    predicted = np.abs(FourierOperator(vis.u, vis.v, images.recipe.grid).forward(model))
    position = np.arange(len(vis))
    axes.errorbar(position, vis.amplitude, vis.sigma, fmt="o", color="black", markersize=3, label="measured")
    axes.plot(position, predicted, "_", color="tab:red", markersize=9, markeredgewidth=2, label="of the image")
    axes.set(title=f"amplitudes, χ² = {chi2:.2f}", xlabel="sub-collimator", ylabel="ct s⁻¹ cm⁻² keV⁻¹")
    axes.set_xticks(position[::3], [label[:-1] for label in vis.labels[::3]])
    axes.legend(fontsize="small", frameon=False)
