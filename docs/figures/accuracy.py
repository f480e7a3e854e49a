"""Figure of docs/accuracy.md, drawn by ``make bench-science``: example images, and RMS errors against counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np

COLORS = {
    "BP": "tab:gray",
    "CLEAN": "tab:blue",
    "CLEAN ⊗": "tab:cyan",
    "MS_CLEAN": "tab:purple",
    "EM": "tab:orange",
    "MEM_GE": "tab:green",
    "VIS_FWDFIT": "tab:red",
}
HALF_FIELD = 60.0  # arcsec


@dataclass(frozen=True, eq=False)
class Example:
    """One flare: name of the scene, true image, images by method, pixel size in arcsec."""

    scene: str
    truth: np.ndarray
    images: Mapping[str, np.ndarray]
    pixel: float


type Curves = Mapping[str, Mapping[str, Sequence[float]]]


def draw(examples: Sequence[Example], counts: Sequence[float], ours: Curves, peers: Curves, output: Path) -> None:
    """Write the figure; ``ours`` and ``peers`` are RMS errors per number of counts, by scene and method."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = 1 + len(examples[0].images)
    figure = plt.figure(figsize=(9.6, 10.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(6.9, 3.3))
    panels = above.subplots(len(examples), columns)
    for row, example in zip(panels, examples, strict=True):
        for axes, (name, image) in zip(row, {"truth": example.truth, **example.images}.items(), strict=True):
            half = example.truth.shape[0] * example.pixel / 2.0
            extent = (-half, half, -half, half)
            axes.imshow(image, origin="lower", extent=extent, vmin=0.0, cmap="inferno", interpolation="nearest")
            axes.set(xlim=(-HALF_FIELD, HALF_FIELD), ylim=(-HALF_FIELD, HALF_FIELD), xticks=[], yticks=[])
            if example is examples[0]:
                axes.set_title(name, fontsize="medium")
        row[0].set_ylabel(example.scene)
    plots = below.subplots(1, len(examples), sharey=True)
    for axes, example in zip(plots, examples, strict=True):
        for method, values in ours[example.scene].items():
            axes.plot(counts, values, "o-", color=COLORS[method], markersize=4, label=method)
        for method, values in peers.get(example.scene, {}).items():
            axes.plot(counts, values, "D", color=COLORS[method], markersize=7, fillstyle="none")
        axes.set(xscale="log", yscale="log", title=example.scene, xlabel="counts")
        axes.title.set_fontsize("medium")
        axes.grid(visible=True, which="both", linewidth=0.3)
    plots[0].set_ylabel("RMS error")
    handles, labels = plots[0].get_legend_handles_labels()
    below.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize="small", frameon=False)
    figure.savefig(output, dpi=75, metadata={"Software": None})
    plt.close(figure)
