"""Our fit against sunkit-spex on the same files, for ``docs/accuracy.md``: values and time.

The counts of 2024-03-10 that were published with sunkit-spex are written as a pair for OSPEX. sunkit-spex reads it with
its loader and fits its thick target with its minimiser; ours fits the same channels. The thermal model of sunkit-spex
needs files that it downloads, so the range begins at 20 keV, where electrons alone make the counts.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_page import write_table
from benchmarks.loss_of_charge import published
from benchmarks.timing import side_by_side
from stixcore.spectra.files.ospex import OspexPair, write_ospex_response, write_ospex_spectra
from stixcore.spectra.fit import SpectrumFit, fit_spectrum
from stixcore.spectra.models.bremsstrahlung import AU
from stixcore.spectra.response import make_response

Floats = NDArray[np.float64]

BAND = (20.0, 84.0)
#: As in the demo of the ground software.
FIXED = {"e_break_keV": 1.5e4, "delta_above": 6.0, "e_high_keV": 3.2e4}
#: Where sunkit-spex starts: logarithm of 5·10³⁵ electrons per second, index, logarithm of a cutoff of 20 keV.
START = (np.log(5.0), 4.0, np.log(20.0))


class Peer:
    """The fit with sunkit-spex."""

    def __init__(self, spectrum_file: Path, response_file: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from sunkit_spex.extern.stix import STIXLoader
            from sunkit_spex.fitting.optimizer_tools.minimizer_tools import scipy_minimize
            from sunkit_spex.models.physical.nonthermal import ThickTarget

            loader = STIXLoader(str(spectrum_file), str(response_file))
        self.minimise, self.model = scipy_minimize, ThickTarget()
        data = loader._loaded_spec_data  # noqa: SLF001 - what its own fitter takes
        self.used = (data["count_channel_bins"][:, 0] >= BAND[0]) & (data["count_channel_bins"][:, 1] <= BAND[1])
        self.edges = np.append(data["photon_channel_bins"][:, 0], data["photon_channel_bins"][-1, 1])
        self.srm = np.asarray(data["srm"], dtype=float)
        self.rate, self.error = data["count_rate"], data["count_rate_error"]
        self.width = np.diff(data["count_channel_bins"], axis=1)[:, 0]

    def chi2(self, x: Floats) -> float:
        """χ² of values in the form of `START`."""
        norm, delta, e_cut = np.exp(x[0]), x[1], np.exp(x[2])
        constants = FIXED["e_break_keV"], FIXED["delta_above"], e_cut, FIXED["e_high_keV"], norm
        flux = self.model.evaluate(self.edges, delta, *constants) / (4.0 * np.pi * AU**2)
        rate = (flux * np.diff(self.edges)) @ self.srm / self.width
        return float((((self.rate - rate) / self.error)[self.used] ** 2).sum())

    def fit(self) -> tuple[float, float, float]:
        """Electrons per second [10³⁵], index and cutoff [keV]."""
        x = self.minimise(self.chi2, np.array(START), ()).x
        return float(np.exp(x[0])), float(x[1]), float(np.exp(x[2]))


def run() -> None:
    """Write the section of the page."""
    _, spectrum, distance = next(published())
    response = make_response(spectrum.edges, detectors=spectrum.detectors, pixels=spectrum.pixels, tailing=False)
    pair = OspexPair(
        spectrum_file="spectrum.fits",
        response_file="response.fits",
        distance=distance,
        created=np.datetime64("2024-03-10T13:00:00", "us"),
    )
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / pair.spectrum_file, Path(folder) / pair.response_file
        write_ospex_spectra(files[0], [spectrum], {0: response}, pair)
        write_ospex_response(files[1], [spectrum], {0: response}, pair)
        peer = Peer(*files)

    def ours() -> SpectrumFit:
        return fit_spectrum(spectrum, response, distance=distance, model="thick2", energy=BAND, fixed=FIXED)

    timed = side_by_side(ours, peer.fit, repeat=5, peer_repeat=1)
    names = {"norm_1e35_per_s": "F₀ [10³⁵ s⁻¹]", "delta": "δ", "e_cut_keV": "E_c [keV]"}
    rows: list[list[object]] = []
    for (name, shown), theirs in zip(names.items(), timed.their_result, strict=True):
        value = timed.our_result.parameters[name]
        errors = f"-{value.sigma_minus or np.nan:.2g} +{value.sigma_plus or np.nan:.2g}"
        rows.append([shown, value.value, errors, theirs])
    rows.append(["time [s]", timed.ours, "", timed.theirs])
    rows.append(["time ÷ ours", 1.0, "", timed.ratio])
    columns = ["value", "ours", "1 σ", "sunkit-spex 0.5"]
    write_table("Spectral fits against sunkit-spex", INTRODUCTION, columns, rows, before="## Loss of charge")


INTRODUCTION = """One flare (2024-03-10), one pair of FITS files, one model: a thick target in 20-84 keV, fitted by this
package and with the loader, model and minimiser of sunkit-spex 0.5. The time is the best of five fits of this package,
and of one of sunkit-spex. `python -m benchmarks spectral_peers` writes this section.
"""
