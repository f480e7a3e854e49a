"""Light curves of an archive without quick-look files: on the page, in files and in the API."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from archive import Archive
from archive.ingest.ingest import ingest
from dashboards.pages.lightcurves import wording
from dashboards.pages.lightcurves.state import LightCurvesState
from dashboards.pages.lightcurves.view import notices_for
from dashboards.server.api.browsing import lightcurve
from dashboards.server.api.errors import Refused
from dashboards.server.lightcurve_files import csv_pieces, tables_of, wanted
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.source import ArchiveSource
from dashboards.shared.time_window import unix_seconds
from stixcore.simulation.campaign import simulate_campaign

NOW = np.datetime64("2026-03-20T00:00:00", "us")


@pytest.fixture(scope="module")
def science(tmp_path_factory: Any) -> Any:
    """An archive of one flare with its science files only."""
    folder = tmp_path_factory.mktemp("science")
    (record,) = simulate_campaign(folder / "files", 7, np.datetime64("2026-03-14T06:00:00", "us"), 0.1, 12.0)
    archive = Archive(folder / "archive", create=True)
    ingest(archive, [path for path in sorted((folder / "files").iterdir()) if "-ql-" not in path.name], NOW)
    return archive, archive.science_file(record["uid"])


def test_the_page_shows_them_and_says_so(science: Any) -> None:
    archive, file = science
    state = LightCurvesState(ArchiveSource(archive.root))
    state.load()
    assert state.extent is not None
    assert state.extent.what == "science files"
    assert state.curves.recorded
    assert state.curves.science is not None
    (notice,) = (one for one in notices_for(state) if one.kind == "info")
    assert "There are no quick-look light curves in this window" in notice.text
    assert file.name in notice.text
    assert "corrected for live time" in notice.text
    status = wording.status_html(state.curves, simulated=True, downloads=True)
    assert "source=science" in status


def test_the_file_has_them_on_request_only(science: Any) -> None:
    archive, file = science
    window = {"start": str(unix_seconds(file.t_start)), "span": "3600", "series": "simulated"}
    want = wanted({**window, "source": "science"})
    assert want.name.startswith("stix_science-lightcurve_bins_")
    assert "_corrected" in want.name
    text = b"".join(csv_pieces(want.schema, tables_of(archive, want))).decode()
    header, first, *_ = text.splitlines()
    assert header.startswith('"time_utc_solar_orbiter"')
    assert header.endswith('"live_fraction","corrected_for"')
    assert file.name in first
    assert first.endswith('"live time"')
    recorded = wanted({**window, "source": "science", "livetime": "recorded"})
    assert recorded.schema == recorded.table.arrow
    assert not any("corrected_for" in table.column_names for table in tables_of(archive, recorded))
    quick = wanted(window)
    assert quick.source == "quicklook"
    assert len(b"".join(csv_pieces(quick.table.arrow, tables_of(archive, quick))).splitlines()) == 1
    for wrong in (
        {"source": "x"}, {"source": "science", "bins": "minutes"}, {"source": "science", "span": "90000"},
        {"livetime": "yes"}, {"attenuator": "corrected", "bins": "minutes"},
        {"attenuator": "corrected", "source": "background-detector"},
        {"source": "background-detector", "span": "700000"},
    ):  # fmt: skip
        with pytest.raises(NotUnderstood):
            wanted({**window, **wrong})


def test_the_api_names_files_and_cautions(science: Any) -> None:
    archive, file = science
    values = {"start": file.t_start, "end": file.t_end, "resolution": None, "simulated": True, "livetime": None}

    def answer(**more: Any) -> Any:
        call: Any = SimpleNamespace(values={**values, "source": None, **more})
        return lightcurve(archive, call).document

    assert (answer()["source"], answer()["time"]) == ("quicklook", [])
    corrected, recorded = answer(source="science"), answer(source="science", livetime="recorded")
    assert corrected["files"] == [file.name]
    assert (corrected["live_time_corrected"], recorded["live_time_corrected"]) == (True, False)
    assert "8 of 12 pixels" in corrected["cautions"][0]
    assert corrected["mean"]["4_10_kev"][0] > recorded["mean"]["4_10_kev"][0] > 0
    assert corrected["mean"]["50_84_kev"][0] is None
    with pytest.raises(Refused):
        answer(source="science", end=file.t_start + np.timedelta64(25, "h"))


def test_the_api_corrects_quick_look_curves_on_request(science: Any) -> None:
    archive, file = science
    values = {"start": file.t_start, "end": file.t_end, "resolution": None, "simulated": True, "livetime": None}

    def answer(**more: Any) -> Any:
        call: Any = SimpleNamespace(values={**values, "source": None, "attenuator": None, **more})
        return lightcurve(archive, call).document

    plain, both = answer(), answer(livetime="corrected", attenuator="corrected")
    assert (plain["live_time_corrected"], plain["attenuator_corrected"]) == (False, False)
    assert (both["live_time_corrected"], both["attenuator_corrected"]) == (True, True)
    detector = answer(source="background-detector")
    assert (detector["source"], detector["files"], detector["time"]) == ("background-detector", [], [])
    with pytest.raises(Refused, match="never covers"):
        answer(source="background-detector", attenuator="corrected")
    with pytest.raises(Refused, match="background detector"):
        answer(source="background-detector", end=file.t_start + np.timedelta64(9, "D"))
