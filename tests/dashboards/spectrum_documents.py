"""Documents of `describe_spectrum` for tests: a spectrum of five channels with and without its fit; text of pages."""

import html
import re
from typing import Any

EDGES = [[4.0, 5.0], [5.0, 7.0], [7.0, 10.0], [10.0, 16.0], [20.0, 28.0]]


def value(number: float, minus: float | None, plus: float | None, unit: str = "", **changes: bool) -> dict[str, Any]:
    """A parameter of a fit."""
    return {
        "value": number, "sigma_minus": minus, "sigma_plus": plus, "fixed": False, "at_bound": False, "unit": unit
    } | changes  # fmt: skip


def fit(**changes: Any) -> dict[str, Any]:
    """A fit with a thermal and a thick-target component over the first four channels."""
    return {
        "model": "vth+thick2",
        "chi2": 3.0,
        "ndof": 2,
        "statistic": "chi2",
        "energy_range_kev": [4.0, 16.0],
        "energy_reason": "The fit starts at 4 keV, the lowest energy of the response.",
        "parameters": {
            "EM_1e49_cm3": value(0.127, 0.013, 0.015, "10⁴⁹ cm⁻³"),
            "T_keV": value(1.5667, 0.0364, 0.0366, "keV"),
            "norm_1e35_per_s": value(2.05, 0.64, None, "10³⁵ s⁻¹"),
            "delta": value(5.3, 0.14, 0.13),
            "e_cut_keV": value(20.0, 0.0, 0.0, "keV", fixed=True),
        },
        "counts": [190.0, 820.0, 590.0, 130.0, 12.0],
        "components": {"vth": [180.0, 780.0, 500.0, 40.0, 0.0], "thick2": [10.0, 40.0, 90.0, 90.0, 12.0]},
        "error": [20.0, 60.0, 40.0, 15.0, 8.0],
        "residuals": [0.5, -0.4, 0.3, -0.7, -14.0],
        "used": [True, True, True, True, False],
        "pair": {"names": ["norm_1e35_per_s", "e_cut_keV"], "correlation": -0.9958, "covariance_of_logarithms": []},
        "aic": 13.0,
        "bic": 12.0,
        "compared": [
            {"model": "vth", "value": 85.0, "free": 2, "aic": 89.0, "bic": 88.0},
            {"model": "vth+thick2", "value": 3.0, "free": 5, "aic": 13.0, "bic": 12.0},
        ],
        "converged": True,
        "stopped_by": "converged",
        "thermal_table": "CHIANTI 10.1 (built in)",
        "albedo_angle_deg": 32.9,
        "verdict": "trusted",
        "doubts": [],
    } | changes


def document(**changes: Any) -> dict[str, Any]:
    """A spectrum; the last channel has fewer counts than its background."""
    return {
        "simulated": True,
        "time_range": ["2022-11-11T11:35:40.271", "2022-11-11T11:37:40.271"],
        "requested": {"start": "2022-11-11T11:36:00.000", "end": "2022-11-11T11:38:00.000"},
        "energy_kev": EDGES,
        "counts": [200.0, 800.0, 600.0, 120.0, -100.0],
        "rate": [2.0, 8.0, 6.0, 1.2, -1.0],
        "sigma": [15.0, 30.0, 25.0, 12.0, 20.0],
        "systematic": [0.07, 0.07, 0.05, 0.03, 0.03],
        "background": [10.0, 20.0, 30.0, 60.0, 110.0],
        "livetime_s": 100.0,
        "area_cm2": 18.47,
        "distance_au": 0.6225,
        "detectors": list(range(24)),
        "pixels": list(range(8)),
        "location": {"hpc_x": 825.1, "hpc_y": 144.7, "method": "given"},
        "response": {"photon_kev": [], "counts_kev": [], "attenuator": False, "scheme": "gsw-2026", "tailing": False},
        "calibration": {"energy_table": "elut_table_20220918", "cal_file": None},
        "fit": fit(),
        "no_fit": None,
        "doubts": [],
        "files": {},
        "units": {},
    } | changes


def text_of(page: str) -> str:
    """Text of HTML without its tags, with single spaces."""
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", page)).split())
