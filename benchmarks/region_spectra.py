"""Spectra of the regions of a simulated flare of known truth, for ``docs/accuracy.md``.

The flare is that of `two_footpoints`. Images are divided among circles around the true places, as if drawn by somebody
who sees the sources; the forward fit searches its sources itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.accuracy_page import write_table
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging_spectroscopy.measure_regions import MeasuredRegions, RegionSpectrum, measure_regions
from stixcore.imaging_spectroscopy.prepare_regions import prepare_region_recipe
from stixcore.options import ImageRequest
from stixcore.simulation.two_footpoints import (
    CENTRE,
    DELTAS,
    PARTS,
    SEPARATION,
    TEMPERATURE,
    TwoFootpoints,
    two_footpoints,
)
from stixcore.spectra.fit.verdict import HOTTEST
from stixcore.spectra.models.thermal import KEV_PER_MK
from stixcore.spectra.regions import Circle, Ellipse, Region
from stixcore.spectrum_recipe import SpectrumRequest

LEVELS = {"10⁶": 1e6, "10⁵": 1e5, "10⁴": 1e4}  # counts above background in 4-63 keV
METHODS = (Method.VIS_FWDFIT, Method.CLEAN, Method.MEM_GE, Method.EM)
SEEDS = (1, 2, 3, 4)
COPIES = 20
#: Radius of the circles, arcsec: loop, first and second footpoint. They do not touch.
RADII = (9.5, 10.0, 10.0)
#: Bands and numbers of sources of the forward fit.
SEARCHED = (((20.0, 50.0), 2), ((4.0, 9.0), 1))


def measured(flare: TwoFootpoints, method: Method) -> MeasuredRegions:
    """Loop and footpoints of a flare."""
    searches = method is Method.VIS_FWDFIT
    circles: list[Region] = [
        Circle(one.name, one.shape.x, one.shape.y, radius) for one, radius in zip(flare.sources, RADII, strict=True)
    ]
    image = ImageRequest(
        start=flare.start,
        end=flare.end,
        energy=(4.0, 63.0),
        methods={method: default_methods()[method]},
        shape=(65, 65),
        location=CENTRE,
        ensemble=0 if searches else COPIES,
    )
    # the simulated Sun reflects nothing
    request = SpectrumRequest(start=flare.start, end=flare.end, albedo=False)
    recipe, locate = prepare_region_recipe(
        image,
        [] if searches else circles,
        flare.science,
        flare.background,
        [flare.auxiliary],
        request=request,
        sources=SEARCHED if searches else (),
    )
    return measure_regions(recipe, locate)


def in_order(found: MeasuredRegions, flare: TwoFootpoints) -> list[RegionSpectrum]:
    """Regions in the order of the true sources, each the nearest one."""

    def distance(region: RegionSpectrum, x: float, y: float) -> float:
        place = region.region
        return float(np.hypot(place.x - x, place.y - y)) if isinstance(place, Circle | Ellipse) else np.inf

    return [min(found.regions, key=lambda region: distance(region, one.shape.x, one.shape.y)) for one in flare.sources]


def rows() -> Iterator[list[object]]:
    """A row for each method and number of counts."""
    for method in METHODS:
        for name, counts in LEVELS.items():
            made: list[MeasuredRegions] = []
            regions: list[list[RegionSpectrum]] = []
            with TemporaryDirectory() as folder:
                for seed in SEEDS:
                    flare = two_footpoints(Path(folder) / str(seed), counts, seed=seed)
                    made.append(measured(flare, method))
                    regions.append(in_order(made[-1], flare))
            loops, *feet = zip(*regions, strict=True)
            scale = np.concatenate([one.scale[one.imaged] for one in made])
            channels = sorted({int(one.imaged.sum()) for one in made})
            yield [
                method_name(method),
                name,
                "-".join(str(one) for one in dict.fromkeys((channels[0], channels[-1]))),
                _values(loops, "T_keV", 1.0 / KEV_PER_MK),
                *(_values(some, "delta") for some in feet),
                f"{scale.min():.2f}-{scale.max():.2f}" if scale.size else "",
                _verdicts([region for some in regions for region in some]),
            ]


def _values(regions: Sequence[RegionSpectrum], name: str, unit: float = 1.0) -> str:
    """Median of the values, of their errors, lowest and highest; how many fits have it, or what they have instead."""
    fits = [one.fit for one in regions if one.fit is not None]
    found = [fit.parameters[name] for fit in fits if name in fit.parameters]
    if not found:
        hot = [fit.parameters["T_keV"].value / KEV_PER_MK for fit in fits]
        return f"none: heat of {min(hot):.0f}-{max(hot):.0f} MK" if hot else ""
    values = unit * np.array([one.value for one in found])
    sides = [side for one in found for side in (one.sigma_minus, one.sigma_plus) if side is not None]
    error = f" ± {unit * np.median(sides):.2g}" if sides else ""
    number = "" if len(found) == len(regions) else f", in {len(found)} of {len(regions)}"
    return f"{np.median(values):.3g}{error} ({values.min():.3g}-{values.max():.3g}){number}"


def _verdicts(regions: Sequence[RegionSpectrum]) -> str:
    fits = [one.fit for one in regions if one.fit is not None]
    trusted = sum(fit.verdict == "trusted" for fit in fits)
    numbers = {"trusted": trusted, "doubtful": len(fits) - trusted, "no fit": len(regions) - len(fits)}
    possible = sum(any(doubt.code == "fit.nonthermal-possible" for doubt in fit.doubts) for fit in fits)
    notes = f"; {possible} say that electrons are possible" if possible else ""
    return ", ".join(f"{number} {name}" for name, number in numbers.items() if number) + notes


def run() -> None:
    """Write the section of the page."""
    first, second = DELTAS
    columns = ["method", "counts", "channels", f"T of the loop [MK]; {TEMPERATURE:g}", f"δ of the first; {first:g}",
               f"δ of the second; {second:g}", "scale", "fits"]  # fmt: skip
    write_table("Spectra of regions", INTRODUCTION, columns, list(rows()), before="## By scene")


INTRODUCTION = f"""A simulated loop of {TEMPERATURE:g} MK between two footpoints {SEPARATION:g}″ apart, with electrons
of δ = {DELTAS[0]:g} and {DELTAS[1]:g} and {PARTS[1]:.0%} of the counts each
([simulation](../stixcore/simulation/two_footpoints.py)), measured by imaging spectroscopy
([how](how-to/footpoint_spectrum.md)) with {len(SEEDS)} draws of noise. Counts are above background in 4-63 keV. The
forward fit is told how many sources to look for in which energies; maps are divided among circles of {RADII[0]:g} and
{RADII[1]:g}″ around the true places. Each cell has the median of the values, the median of their errors, and in
brackets the lowest and the highest value. The scale is the flux of the spectrum ÷ that of the image, from the lowest to
the highest of all channels. The automatic fit chooses the model. `python -m benchmarks region_spectra` writes this
section.

With 10⁶ counts the forward fit finds the temperature and both indices. Maps find the temperature and the hard
footpoint. Their circle around the soft one has so much light of the loop that heat alone describes it, hotter than any
flare, and a doubt says so. With 10⁵ counts the temperature is still right, but maps find heat in place of the electrons
in both circles. Heat above {HOTTEST:g} MK is doubtful; some soft footpoints are just below and trusted. The forward fit
finds the hard footpoint in most draws, the soft one in half of them. With 10⁴ counts too few channels can be imaged,
and no region has a fit.

So "trusted" means that the model describes the counts of a region, not that these come from one source. Quote an index
if the forward fit and a map agree on it. A scale near 1 proves nothing for MEM_GE and EM, which are given the flux of
the counts.
"""
