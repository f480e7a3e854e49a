"""The example flare of the documentation: 2022-11-11 11:36 UTC, simulated, in files like those of the instrument."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stixcore import ImageRequest, ImageSet, prepare_recipe, reconstruct
from stixcore.simulation.campaign import FlareSizes, native_bins, random_flare
from stixcore.simulation.ephemeris import Orbit
from stixcore.simulation.files import ScienceRequest, flare_truth, write_auxiliary, write_pixel_data, write_quicklook
from stixcore.simulation.flare import Flare
from stixcore.simulation.instrument import Background
from stixcore.simulation.observation import expected_counts, observe

SEED = 1
DAY = np.datetime64("2022-11-11T00:00:00", "us")
PEAK = np.datetime64("2022-11-11T11:36:30", "us")
START, END = PEAK - np.timedelta64(30, "s"), PEAK + np.timedelta64(30, "s")
_MINUTE = np.timedelta64(60, "s")


@dataclass(frozen=True)
class ExampleFiles:
    """Files of the example under their original names, and the simulated truth."""

    science: Path
    background: Path
    aux: Path
    quicklook: Path
    flare: Flare


def write_example(folder: Path) -> ExampleFiles:
    """Write the files of the flare into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    orbit = Orbit(DAY)
    flare = random_flare(np.random.default_rng(SEED), PEAK, orbit, FlareSizes(rate=(8000.0, 8001.0)))
    begin, end = PEAK - 5 * _MINUTE, PEAK + 10 * _MINUTE
    t_start, duration = native_bins([flare], begin, end, Background().rate)
    flaring = expected_counts([flare], t_start, duration, orbit.pointing(PEAK))
    science = write_pixel_data(
        folder,
        observe(flaring, np.random.default_rng((SEED, 1))),
        ScienceRequest(2211111136, 50_001, f"Flare {flare.flare_id}, Solar Flare, an example", (4.0, 28.0)),
        orbit,
        {"kind": "flares", "flares": [flare_truth(flare)]},
    )
    quiet_start = PEAK - 120 * _MINUTE
    quiet = expected_counts((), np.array([quiet_start]), np.array([1800.0]), orbit.pointing(quiet_start))
    background = write_pixel_data(
        folder,
        observe(quiet, np.random.default_rng((SEED, 2))),
        ScienceRequest(2211119000, 60_001, "BKG quiet, Background, an example", (4.0, float("inf")), 12),
        orbit,
        {"kind": "background"},
    )
    aux = write_auxiliary(folder, DAY, orbit)
    rng = np.random.default_rng((SEED, 3))
    quicklook = write_quicklook(folder, [flare], begin - 60 * _MINUTE, end + 30 * _MINUTE, orbit, rng)
    return ExampleFiles(science, background, aux, quicklook, flare)


def give_short_names(files: ExampleFiles, folder: Path) -> None:
    """Copy the files to the names used in examples: science.fits, background.fits, aux.fits."""
    for path, name in ((files.science, "science"), (files.background, "background"), (files.aux, "aux")):
        shutil.copy(path, folder / f"{name}.fits")


def image_example(files: ExampleFiles) -> ImageSet:
    """All images of the minute around the peak, 6-10 keV."""
    recipe = prepare_recipe(ImageRequest(START, END, energy=(6, 10)), files.science, files.background, [files.aux])
    paths = {path.name: path for path in (files.science, files.background, files.aux)}
    return reconstruct(recipe, lambda file: paths[file.name])
