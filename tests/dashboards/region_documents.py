"""Documents of `describe_regions` for tests: two regions and what is outside, in three channels, one not imaged."""

from typing import Any

from stixcore.spectra.models.thermal import KEV_PER_MK
from tests.dashboards.spectrum_documents import fit, value


def two_temperatures() -> dict[str, Any]:
    """A fit of 20 ± 1 MK and 40 −5 +8 MK."""
    parameters = {
        "EM_1e49_cm3": value(0.02, 0.002, 0.002, "10⁴⁹ cm⁻³"),
        "T_keV": value(20.0 * KEV_PER_MK, KEV_PER_MK, KEV_PER_MK, "keV"),
        "EM_1e49_cm3_2": value(0.004, 0.001, 0.001, "10⁴⁹ cm⁻³"),
        "T_keV_2": value(40.0 * KEV_PER_MK, 5.0 * KEV_PER_MK, 8.0 * KEV_PER_MK, "keV"),
    }
    doubts = [{"code": "fit.error", "text": "the error of T_keV_2 is <large>", "serious": True}]
    return fit(model="vth+vth", parameters=parameters, pair=None, verdict="doubtful", doubts=doubts)


def part(name: str, share: float, **changes: Any) -> dict[str, Any]:
    """A region with a share of 1,000 and 500 counts."""
    counts = [1000.0 * share, 500.0 * share, None]
    return {
        "name": name, "shape": None, "area_arcsec2": 300.0, "counts": counts, "sigma": [10.0, 8.0, None],
        "fraction": [share, share, None], "fraction_sigma": [0.02, None, None], "fit": fit(), "no_fit": None,
        "doubts": [],
    } | changes  # fmt: skip


def regions_document(**changes: Any) -> dict[str, Any]:
    """North with electrons, south with two temperatures, and a tenth outside."""
    nothing = {"fit": None, "no_fit": None}
    return {
        "region_id": "0" * 16,
        "method": "mem_ge",
        "energy_kev": [[4.0, 6.0], [6.0, 10.0], [10.0, 28.0]],
        "imaged": [True, True, False],
        "not_imaged": [None, None, "fewer than 1000 counts"],
        "copies": 20,
        "whole": {"counts": [1000.0, 500.0, 90.0], "fit": fit(), "no_fit": None},
        "scale": [1.01, 1.3, None],
        "regions": [part("north <1>", 0.6), part("south", 0.3, fit=two_temperatures())],
        "outside": part("outside", 0.1, **nothing),
        "doubts": ["the scale differs"],
        "files": {
            "spectrum north <1>": "stx_spectrum_1_north-1.fits",
            "spectrum south": "stx_spectrum_2_south.fits",
            "response": "stx_srm.fits",
            "table": "regions.parquet",
            "picture": "regions.png",
        },
    } | changes
