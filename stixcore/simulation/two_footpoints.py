"""A flare of three sources with a spectrum each: a loop of hot plasma between two footpoints of energetic electrons.

It is the truth for images and spectra of regions: shape and spectrum of every source are known, and so are the counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stixcore.coordinates import ASTRONOMICAL_UNIT, Pointing
from stixcore.errors import SelectionError
from stixcore.imaging.metrics import FWHM_PER_SIGMA
from stixcore.simulation.ephemeris import Orbit
from stixcore.simulation.files import ScienceRequest, flare_truth, write_auxiliary, write_pixel_data
from stixcore.simulation.flare import Component, FastRise, Flare, mean_level
from stixcore.simulation.instrument import SCIENCE_EDGES, Background, pixel_response
from stixcore.simulation.layout import iso
from stixcore.simulation.observation import Observation, channel_range, expected_counts, observe
from stixcore.simulation.response import COARSE
from stixcore.simulation.sources import Circle, Ellipse
from stixcore.simulation.spectrum import ThermalSpectrum, ThickTargetSpectrum, integrate, norm_at_unit_distance

Floats = NDArray[np.float64]

PEAK = np.datetime64("2024-05-10T12:00:00", "us")
#: Time bins of the science file: 12 of 5 s around the peak. The background file ends 20 minutes before them.
BIN, BINS = 5.0, 12
QUIET, QUIET_BEFORE = 3200.0, 4400.0
#: Energy range of the science file and of the given counts, keV.
ENERGY = (4.0, 63.0)
#: Direction from the first footpoint to the second, counter-clockwise from west, degree; centre of the loop, arcsec.
ANGLE, CENTRE = 30.0, (310.0, -220.0)
SEPARATION = 40.0  # arcsec
LOOP = (25.0, 12.0)  # arcsec
TEMPERATURE, CUTOFF = 15.0, 18.0  # MK, keV
DELTAS, WIDTHS = (4.0, 6.0), (10.0, 14.0)
#: Parts of the counts in 4-63 keV: loop, first and second footpoint.
PARTS = (0.6, 0.2, 0.2)
#: Light curve of all three.
PROFILE = FastRise(PEAK, 60.0, 240.0)
NAMES = ("loop", "first footpoint", "second footpoint")


@dataclass(frozen=True)
class TrueSource:
    """What was put in for one source.

    Attributes
    ----------
    name : str
    shape : Circle or Ellipse
        Helioprojective.
    spectrum : ThermalSpectrum or ThickTargetSpectrum
        With temperature or index and cutoff; its flux is that at the peak.
    norm : float, 10⁴⁹ cm⁻³ or 10³⁵ s⁻¹
        Emission measure or electrons above the cutoff, mean over the science file.
    fluence : (n_channel,) float, ct cm⁻²
        In the channels of the science file, without grids, corrected for live time.
    counts : float, ct
        In 4-63 keV, large pixels of the 24 coarse detectors.
    """

    name: str
    shape: Circle | Ellipse
    spectrum: ThermalSpectrum | ThickTargetSpectrum
    norm: float
    fluence: Floats
    counts: float

    def map(self, x: Floats, y: Floats) -> Floats:
        """Brightness for unit flux at ``x, y`` [arcsec, helioprojective], arcsec⁻²; the shape of x and y together."""
        shape = self.shape
        major, minor, angle = (
            (shape.fwhm_max, shape.fwhm_min, np.deg2rad(shape.angle))
            if isinstance(shape, Ellipse)
            else (shape.fwhm, shape.fwhm, 0.0)
        )
        along = (x - shape.x) * np.cos(angle) + (y - shape.y) * np.sin(angle)
        across = (y - shape.y) * np.cos(angle) - (x - shape.x) * np.sin(angle)
        s1, s2 = major / FWHM_PER_SIGMA, minor / FWHM_PER_SIGMA
        # I = exp[−(a²/σ₁² + c²/σ₂²)/2] / (2π σ₁ σ₂)
        return np.asarray(np.exp(-0.5 * ((along / s1) ** 2 + (across / s2) ** 2)) / (2.0 * np.pi * s1 * s2))


@dataclass(frozen=True)
class TwoFootpoints:
    """Files of the flare, and what was put in.

    Attributes
    ----------
    science, background, auxiliary : Path
    start, end : datetime64[us]
        Of the science file.
    pointing : Pointing
    distance : float, AU
        From the spacecraft to the Sun.
    channel_edges : (n_channel + 1,) float, keV
    sources : tuple of TrueSource
        Loop, first and second footpoint.
    """

    science: Path
    background: Path
    auxiliary: Path
    start: np.datetime64
    end: np.datetime64
    pointing: Pointing
    distance: float
    channel_edges: Floats
    sources: tuple[TrueSource, ...]


def two_footpoints(
    folder: str | Path,
    counts: float,
    *,
    seed: int = 1,
    parts: tuple[float, float, float] = PARTS,
    attenuated: bool = False,
) -> TwoFootpoints:
    """Write science, background and auxiliary file of a flare with three sources.

    The loop of 15 MK is a Gaussian of 25″ × 12″ (FWHM) between footpoints 40″ apart, which have FWHM of 10″ and 14″
    and electrons of δ = 4 and 6 above 18 keV.

    Parameters
    ----------
    folder : path
        Created if missing.
    counts : float, ct
        Expected counts above background in 4-63 keV and the large pixels of the 24 coarse detectors, with the
        attenuator out.
    seed : int
    parts : (float, float, float)
        Relative counts of loop, first and second footpoint.
    attenuated : bool
        Whether the attenuator is in. Sources stay as they are, so that there are fewer counts.

    Raises
    ------
    SelectionError
        When counts or parts are not positive.
    """
    if not (counts > 0 and min(parts) >= 0 and sum(parts) > 0):
        message = f"two_footpoints needs positive counts and parts that are not negative, found {counts} and {parts}"
        raise SelectionError(message)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    orbit = Orbit(PEAK)
    duration = np.full(BINS, BIN)
    start = PEAK - np.timedelta64(round(BIN * BINS / 2), "s")
    t_start = start + np.arange(BINS) * np.timedelta64(round(BIN), "s")
    pointing = orbit.pointing(PEAK)
    shapes: tuple[Ellipse | Circle, ...] = _shapes()
    shares = np.array(parts) / sum(parts)
    level = mean_level(PROFILE, t_start, duration)
    area = [pixel_response((shape,), pointing)[list(COARSE), :8].sum(axis=1) for shape in shapes]
    live = np.ones((BINS, len(COARSE)))
    for _ in range(3):  # counts are recorded ones: the live time depends on the flux, but little
        fluxes = [
            float(counts * share / ((level * duration) @ live @ seen)) for share, seen in zip(shares, area, strict=True)
        ]
        spectra = _spectra(fluxes)
        flare = Flare(
            tuple(Component((shape,), spectrum, PROFILE) for shape, spectrum in zip(shapes, spectra, strict=True))
        )
        live = expected_counts([flare], t_start, duration, pointing).live_fraction[:, list(COARSE)]
    expected = expected_counts([flare], t_start, duration, pointing, rcr=int(attenuated))
    science, background, auxiliary = _write(folder, flare, expected, orbit, seed)
    edges = SCIENCE_EDGES[channel_range(*ENERGY).start : channel_range(*ENERGY).stop + 1]
    distance = orbit.distance / ASTRONOMICAL_UNIT
    sources = tuple(
        TrueSource(
            name=name,
            shape=shape,
            spectrum=spectrum,
            # N = N(1 AU) D², mean over the bins
            norm=norm_at_unit_distance(spectrum) * distance**2 * float(level.mean()),
            fluence=integrate(spectrum, edges, attenuated=attenuated) * float(level @ duration),
            counts=counts * float(share),
        )
        for name, shape, spectrum, share in zip(NAMES, shapes, spectra, shares, strict=True)
    )
    return TwoFootpoints(science, background, auxiliary, start, expected.t_end[-1], pointing, distance, edges, sources)


def _shapes() -> tuple[Ellipse | Circle, ...]:
    x, y = CENTRE
    dx, dy = (0.5 * SEPARATION * f(np.deg2rad(ANGLE)) for f in (np.cos, np.sin))
    first, second = WIDTHS
    return (
        Ellipse(x, y, *LOOP, ANGLE),
        Circle(round(float(x - dx), 2), round(float(y - dy), 2), first),
        Circle(round(float(x + dx), 2), round(float(y + dy), 2), second),
    )


def _spectra(fluxes: Sequence[float]) -> tuple[ThermalSpectrum | ThickTargetSpectrum, ...]:
    loop, first, second = fluxes
    return (
        ThermalSpectrum(loop, TEMPERATURE, ENERGY),
        ThickTargetSpectrum(first, DELTAS[0], CUTOFF, ENERGY),
        ThickTargetSpectrum(second, DELTAS[1], CUTOFF, ENERGY),
    )


def _write(folder: Path, flare: Flare, expected: Observation, orbit: Orbit, seed: int) -> tuple[Path, Path, Path]:
    """Science, background and auxiliary file."""
    draws = [np.random.default_rng((seed, k)) for k in range(2)]
    request = ScienceRequest(2405101001, 50_001, f"Flare {flare.flare_id}, Solar Flare, two footpoints", ENERGY)
    truth = {"kind": "flares", "flares": [flare_truth(flare)]}
    science = write_pixel_data(folder, observe(expected, draws[0]), request, orbit, truth)
    quiet_start = np.array([expected.t_start[0] - np.timedelta64(round(QUIET_BEFORE), "s")])
    quiet = expected_counts((), quiet_start, np.array([QUIET]), orbit.pointing(quiet_start[0]))
    asked = ScienceRequest(2405109001, 60_001, "BKG quiet, Background, two footpoints", (4.0, float("inf")), 12)
    truth_of_quiet = {
        "kind": "background",
        "rate": Background().rate,
        "start_utc": iso(quiet_start[0]),
        "duration": QUIET,
    }
    background = write_pixel_data(folder, observe(quiet, draws[1]), asked, orbit, truth_of_quiet)
    return science, background, write_auxiliary(folder, expected.t_start[0], orbit)
