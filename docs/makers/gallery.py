"""The gallery: simulated flares, and real ones if the folder of real files exists. No picture is committed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from docs.makers.example import write_example
from jobs.components.figure import draw_components
from jobs.electrons.products import draw_electron_maps
from jobs.imaging.figures import draw_map, png
from jobs.regions.figure import draw_regions
from stixcore import ImageRequest, ImageSet, Method, prepare_recipe, reconstruct
from stixcore.fits.read import read_pixel_data
from stixcore.imaging.methods import default_methods
from stixcore.imaging.trust import Severity, assess, is_trusted
from stixcore.imaging_spectroscopy.component_images import ComponentImages, component_images, prepare_component_recipe
from stixcore.imaging_spectroscopy.electron_maps import (
    ElectronMap,
    ElectronMaps,
    electron_maps,
    prepare_electron_recipe,
)
from stixcore.imaging_spectroscopy.measure_regions import MeasuredRegions, measure_regions
from stixcore.imaging_spectroscopy.prepare_regions import prepare_region_recipe
from stixcore.imaging_spectroscopy.recipe_pair import ENERGY
from stixcore.simulation.campaign import simulate_campaign
from stixcore.spectrum_recipe import SpectrumRequest

SIDE = 260  # of a map in a strip, pixels
CAMPAIGN_SEED, CAMPAIGN_START, CAMPAIGN_DAYS = 104, np.datetime64("2024-05-10T06:00:00", "us"), 0.5
#: Science request and what it shows; windows are those of the ground software's own maps.
REAL_FLARES = {
    "2211116471": "M1.2, the largest of the three days",
    "2211115828": "some hours later in the same active region",
    "2211105581": "minutes before midnight: few counts, with the resulting warnings",
    "2211090238": "no flare in the brightest minute of the file: an example of warnings",
}


#: Science request of their background.
BACKGROUND = "2211098157"
#: The impulsive minute of the first of these, and the band and number of the sources whose spectra are shown.
IMPULSIVE = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:37:00", "us")
SOURCES = (((16.0, 28.0), 3),)


@dataclass(frozen=True)
class Shown:
    """A flare of the gallery: heading, description and images."""

    heading: str
    text: str
    images: ImageSet


def gallery(folder: Path, work: Path, real: Path | None) -> str:
    """Text of the page; pictures are written to ``folder``, simulated files to ``work``."""
    lines = [
        "# Gallery",
        "",
        "Generated together with these pages by the code they describe. Each strip shows the full disk, then the",
        "flare by every method, 6-10 keV, north up, each map with its own color scale.",
        "",
        "## Simulated flares",
    ]
    for number, shown in enumerate(_simulated(work)):
        lines += _entry(shown, folder, f"simulated-{number}")
    lines += ["", "## Real flares"]
    flares = [] if real is None else list(_real(real))
    if not flares:
        lines += [
            "",
            "The folder of real files (`STIX_SHARED_DATA`) was not available when these pages were built.",
        ]
    for shown in flares:
        lines += _entry(shown, folder, f"real-{shown.images.recipe.science.uid}")
    if real is not None:
        lines += _region_spectra(real, folder) + _component_images(real, folder) + _electron_maps(real, folder)
    return "\n".join([*lines, ""])


def _entry(shown: Shown, folder: Path, name: str) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(png(strip(shown.images)))
    images = shown.images
    clean = images.images.get(Method.CLEAN)
    place = f"({images.recipe.location.x:.0f}, {images.recipe.location.y:.0f}) arcsec"
    findings = assess(images)
    doubts = "; ".join(finding.text for finding in findings) or "no quality warnings"
    doubted = [str(method) for method in images.images if not is_trusted(findings, method)]
    verdict = "doubtful" if len(doubted) == len(images.images) else "trusted"
    if verdict == "trusted" and doubted:
        verdict += f" but for {', '.join(doubted)}"
    flux = "" if clean is None else f", {clean.total_flux:.1f} ct s⁻¹ cm⁻² keV⁻¹"
    return [
        "",
        f"### {shown.heading}",
        "",
        f"![Full disk and flare maps by every method, {shown.heading}](gallery/{name}.png)",
        "",
        f"{shown.text} At {place}{flux}, {images.counts[0]:.0f} counts; {verdict}: {doubts}.",
    ]


def _region_spectra(data: Path, folder: Path) -> list[str]:
    """The entry about spectra of single sources."""
    measured = _measured_regions(data)
    (folder / "regions.png").write_bytes(png(draw_regions(measured)))
    energies = ", ".join(f"{low:g}-{high:g} keV" for (low, high), _ in SOURCES)
    return [
        "",
        f"## Spectra of single sources, {_minute(measured.recipe.images.t_start)}",
        "",
        "![The sources of the M1.2 flare, and the spectrum of each](gallery/regions.png)",
        "",
        f"The impulsive minute of the M1.2 flare. The sources are fitted to the visibilities of {energies}; every",
        f"energy channel with {measured.recipe.least_counts:.0f} counts or more then gives the share of each",
        "([how](../how-to/footpoint_spectrum.md)).",
        "",
        *(f"- {line}" for line in _fits(measured)),
        "",
        f"Doubts: {'; '.join(measured.doubts) or 'none'}.",
    ]


def _component_images(data: Path, folder: Path) -> list[str]:
    """The entry about images of spectral components."""
    made = _measured_components(data)
    (folder / "components.png").write_bytes(png(draw_components(made, Method.CLEAN)))
    return [
        "",
        f"## Images of hot plasma and of electrons, {_minute(IMPULSIVE[0])}",
        "",
        "![CLEAN images of the thermal and the non-thermal emission of the M1.2 flare](gallery/components.png)",
        "",
        "The same minute. The visibilities of all channels are separated into those of each component of the fitted",
        "spectrum, which are imaged like any others ([how](../science/components.md)). The separation is",
        f"{made.verdict}, with a condition number of {made.separated.condition:.2g}. Notes and doubts:",
        f"{'; '.join(finding.text for finding in made.findings) or 'none'}.",
    ]


def _electron_maps(data: Path, folder: Path) -> list[str]:
    """The entry about electron maps."""
    made = _mapped_electrons(data)
    (folder / "electrons.png").write_bytes(png(draw_electron_maps(made, Method.MEM_GE)))
    return [
        "",
        f"## Electrons of several energies, {_minute(IMPULSIVE[0])}",
        "",
        "![MEM_GE maps of the electron flux of the M1.2 flare](gallery/electrons.png)",
        "",
        "The same minute: electron flux times column density, from the visibilities of all channels, without a model",
        "of the spectrum ([how](../science/electrons.md)). The channels determine",
        f"{made.electrons.dof:.1f} independent energies. Doubts:",
        "",
        *(f"- {one.energy:g} keV: {'; '.join(_doubts(one)) or 'none'}." for one in made.maps),
    ]


def _doubts(one: ElectronMap) -> Iterator[str]:
    return (found.text for found in one.images.findings if found.severity is Severity.DOUBT)


def _fits(measured: MeasuredRegions) -> Iterator[str]:
    for region in measured.regions:
        fit = region.fit
        if fit is None:
            yield f"{region.name}: {region.no_fit}."
        else:
            values = ", ".join(f"`{name}` {value.value:.3g}" for name, value in fit.parameters.items())
            yield f"{region.name}: {fit.model}, {values}, χ² {fit.chi2:.0f} for {fit.ndof}; {fit.verdict}."


def strip(images: ImageSet) -> Picture.Image:
    """All maps of an image set side by side."""
    pointing = images.recipe.pointing
    maps = [
        draw_map(image.image, image.grid, title=str(method), rsun=pointing.rsun, b0=pointing.b0, size=SIDE)
        for method, image in images.images.items()
    ]
    canvas = Picture.new(
        "RGB", (sum(picture.width for picture in maps), max(picture.height for picture in maps)), "white"
    )
    left = 0
    for picture in maps:
        canvas.paste(picture, (left, 0))
        left += picture.width
    return canvas


def _imaged(window: tuple[np.datetime64, np.datetime64], science: Path, background: Path, aux: list[Path]) -> ImageSet:
    recipe = prepare_recipe(ImageRequest(*window, energy=(6, 10)), science, background, aux)
    paths = {path.name: path for path in (science, background, *aux)}
    return reconstruct(recipe, lambda file: paths[file.name])


def _around(peak: np.datetime64) -> tuple[np.datetime64, np.datetime64]:
    return peak - np.timedelta64(30, "s"), peak + np.timedelta64(30, "s")


def _simulated(folder: Path) -> Iterator[Shown]:
    files = write_example(folder)
    peak = files.flare.peak
    images = _imaged(_around(peak), files.science, files.background, [files.aux])
    yield Shown(f"Simulated, {_minute(peak)}", "A loop with two footpoints: the example used on these pages.", images)
    for record in simulate_campaign(folder, CAMPAIGN_SEED, CAMPAIGN_START, CAMPAIGN_DAYS, 6.0):
        paths = [folder / record[key] for key in ("file", "background", "auxiliary")]
        peak = np.datetime64(record["peak_utc"], "us")
        images = _imaged(_around(peak), paths[0], paths[1], [paths[2]])
        shape = record["components"][0]["sources"][0]["shape"]
        true = f"({record['hpc_x']:.0f}, {record['hpc_y']:.0f}) arcsec"
        yield Shown(
            f"Simulated, {_minute(peak)}", f"From the campaign of the demo: {shape} simulated at {true}.", images
        )


def _real(data: Path) -> Iterator[Shown]:
    folder = data / "nov2022"
    (background,) = (folder / "l1").glob(f"*_{BACKGROUND}-*.fits")
    for uid, text in REAL_FLARES.items():
        (science,) = (folder / "l1").glob(f"*_{uid}-*.fits")
        pixels = read_pixel_data(science)
        soft = (pixels.e_low >= 6) & (pixels.e_high <= 10)
        rate = pixels.read().counts[..., soft].sum(axis=(1, 2, 3)) / pixels.duration
        peak = pixels.t_start[int(np.argmax(rate))]
        window = (
            max(peak - np.timedelta64(30, "s"), pixels.t_start[0]),
            min(peak + np.timedelta64(30, "s"), pixels.t_end[-1]),
        )
        images = _imaged(window, science, background, sorted((folder / "aux").glob("*.fits")))
        yield Shown(f"{_minute(peak)}, uid {uid}", f"Solar Orbiter/STIX, {text}.", images)


def _largest(data: Path) -> tuple[Path, Path, list[Path]]:
    """Science, background and auxiliary files of the first real flare."""
    folder, uid = data / "nov2022", next(iter(REAL_FLARES))
    (science,), (background,) = ((folder / "l1").glob(f"*_{one}-*.fits") for one in (uid, BACKGROUND))
    return science, background, sorted((folder / "aux").glob("*.fits"))


def _impulsive(method: Method) -> ImageRequest:
    return ImageRequest(*IMPULSIVE, energy=ENERGY, methods={method: default_methods()[method]})


def _measured_regions(data: Path) -> MeasuredRegions:
    recipe, locate = prepare_region_recipe(_impulsive(Method.VIS_FWDFIT), [], *_largest(data), sources=SOURCES)
    return measure_regions(recipe, locate)


def _measured_components(data: Path) -> ComponentImages:
    science, background, aspect = _largest(data)
    request = SpectrumRequest(start=IMPULSIVE[0], end=IMPULSIVE[1])
    recipe = prepare_component_recipe(_impulsive(Method.CLEAN), request, science, background, aspect)
    paths = {path.name: path for path in (science, background, *aspect)}
    return component_images(recipe, lambda file: paths[file.name])


def _mapped_electrons(data: Path) -> ElectronMaps:
    science, background, aspect = _largest(data)
    request = SpectrumRequest(start=IMPULSIVE[0], end=IMPULSIVE[1])
    recipe = prepare_electron_recipe(_impulsive(Method.MEM_GE), request, science, background, aspect)
    paths = {path.name: path for path in (science, background, *aspect)}
    return electron_maps(recipe, lambda file: paths[file.name])


def _minute(time: np.datetime64) -> str:
    return f"{str(time)[:16].replace('T', ' ')} UTC at Solar Orbiter"
