"""Choice of background, auxiliary files and flare for a window."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive import Archive
from archive.index.schema import AuxFile, Flare, ScienceFile
from jobs.inputs import MIN_DURATION, InputCatalog, choose_aspect, choose_background, flare_named_in
from stixcore.calibration.catalog import SHIPPED
from stixcore.calibration.pointing import MAX_GAP
from stixcore.prepare import LOCATION_ENERGY

FLARE = np.datetime64("2022-11-11T12:00:00", "us")


def background(name: str, hours: float, **changes) -> ScienceFile:
    middle = FLARE + np.timedelta64(round(hours * 3600), "s")
    half = np.timedelta64(1600, "s")
    values = {
        "name": name,
        "product": "sci-xray-cpd",
        "uid": "2211098157",
        "level": "L1",
        "version": "01",
        "sha256": "a" * 64,
        "size": 1,
        "path": f"fits/{name}",
        "t_start": middle - half,
        "t_end": middle + half,
        "duration_s": 3200.0,
        "n_bins": 1,
        "bin_min_s": 3200.0,
        "bin_max_s": 3200.0,
        "n_pixels": 12,
        "n_channels": 31,
        "e_low": 4.0,
        "e_high": np.inf,
        "all_detectors": True,
        "rcr_min": 0,
        "rcr_max": 0,
        "counts": 2e6,
        "purpose": "BKG quiet, Background",
        "is_background": True,
        "ingested_at": FLARE,
    }
    return ScienceFile(**(values | changes))


def test_nearest_in_time_on_either_side():
    files = [background("before", -50), background("after", 20), background("far", 500)]
    choice = choose_background(files, FLARE, FLARE, (4.0, 10.0))
    assert choice.chosen.name == "after"
    assert choice.reason == "nearest of 3 that qualify: 20.0 h after the flare"
    assert [candidate.name for candidate in choice.candidates] == ["after", "before", "far"]


@pytest.mark.parametrize(("hours", "side"), [(-0.5, "before"), (0.5, "after")])
def test_the_reason_says_on_which_side_of_the_flare(hours, side):
    choice = choose_background([background("near", hours)], FLARE, FLARE, (4.0, 10.0))
    assert choice.reason == f"nearest of 1 that qualify: 0.5 h {side} the flare"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"duration_s": 120.0}, "only 120 s long, 600 s needed"),
        ({"all_detectors": False}, "not all detectors were read out"),
        ({"e_high": 9.0}, "covers 4-9 keV, not 4-10 keV"),
        ({"e_low": 6.0}, "covers 6-inf keV, not 4-10 keV"),
        ({"rcr_max": 1}, "the attenuator was in"),
    ],
)
def test_what_does_not_qualify_is_passed_over_and_says_why(change, reason):
    choice = choose_background([background("near", 1, **change), background("good", 30)], FLARE, FLARE, (4.0, 10.0))
    assert choice.chosen.name == "good"
    assert json.loads(choice.candidates_json)[1]["reason"] == reason


def test_a_file_of_the_time_of_the_flare_is_no_background():
    choice = choose_background([background("during", 0.3), background("good", 30)], FLARE, FLARE, (4.0, 10.0))
    assert choice.chosen.name == "good"
    assert choice.candidates[1].reason == "was taken during the flare"


def test_another_energy_table_does_not_qualify():
    """The on-board table changed on 2022-09-18."""
    time = np.datetime64("2022-09-18T12:00:00", "us")
    hours = float((time - FLARE) / np.timedelta64(3600, "s"))
    choice = choose_background([background("old", hours - 24), background("new", hours + 100)], time, time, (4.0, 10.0))
    assert choice.chosen.name == "new"
    assert "another energy table" in choice.candidates[1].reason


def test_sixty_days_are_the_limit_and_a_file_is_never_its_own_background():
    files = [background("far", 60 * 24 + 1), background("self", 0)]
    choice = choose_background(files, FLARE, FLARE, (4.0, 10.0), own_name="self")
    assert choice.chosen is None
    assert choice.reason == "no background subtracted: no background file within 60 days"
    assert choice.candidates == ()


def test_the_energy_table_is_that_of_the_first_bin():
    """As the image's: a window across the change of 2022-09-18 has the table of its start."""
    change = next(row.start for row in SHIPPED.validity if row.name == "elut_table_20220918")
    start, end = change - np.timedelta64(60, "s"), change + np.timedelta64(600, "s")
    assert SHIPPED.choose(start, end).energy_table.name != "elut_table_20220918"
    hours = float((change - FLARE) / np.timedelta64(3600, "s"))
    choice = choose_background([background("old", hours - 24), background("new", hours + 9)], start, end, (4.0, 10.0))
    assert choice.chosen.name == "old"
    assert "another energy table" in choice.candidates[1].reason


@pytest.mark.parametrize("energy", [(16.0, 28.0), (4.0, 10.0)])
@pytest.mark.parametrize("change", [{"e_low": 7.0}, {"e_high": 9.0}])
def test_the_background_also_covers_the_band_in_which_the_flare_is_located(energy, change):
    """The full-disk map is made at 6-10 keV, whatever the band of the images."""
    limits = {"e_low": 4.0, "e_high": np.inf} | change
    choice = choose_background([background("near", 1, **limits), background("good", 30)], FLARE, FLARE, energy)
    assert choice.chosen.name == "good"
    low, high = min(LOCATION_ENERGY[0], energy[0]), max(LOCATION_ENERGY[1], energy[1])
    assert choice.candidates[1].reason.endswith(f"keV, not {low:g}-{high:g} keV")


HALF = np.timedelta64(1600, "s")


@pytest.mark.parametrize(
    ("change", "qualifies"),
    [
        ({"duration_s": MIN_DURATION}, True),
        ({"e_low": 4.0, "e_high": 10.0}, True),
        ({"t_start": FLARE - HALF, "t_end": FLARE}, True),
        ({"t_start": FLARE, "t_end": FLARE + HALF}, False),
    ],
)
def test_the_limits_of_a_background_belong_to_it(change, qualifies):
    """A file of just the shortest duration or just the band qualifies; of its time range only the start belongs."""
    choice = choose_background([background("edge", 1, **change)], FLARE, FLARE, (4.0, 10.0))
    assert choice.candidates[0].qualifies is qualifies


def aspect(name: str, start: float, end: float, **changes) -> AuxFile:
    """An auxiliary file with records between two times, hours from the flare."""
    begin, stop = (FLARE + np.timedelta64(round(hours * 3600), "s") for hours in (start, end))
    values = {
        "name": name,
        "product": "aux-ephemeris",
        "level": "ANC",
        "version": "01",
        "sha256": "a" * 64,
        "size": 1,
        "path": f"fits/{name}",
        "t_start": begin,
        "t_end": stop,
        "n_records": 1,
        "has_sas_ok": True,
        "n_sas_ok": 1,
        "ingested_at": FLARE,
    }
    return AuxFile(**(values | changes))


def test_aspect_files_come_nearest_first_then_by_start_then_by_name():
    """The order is part of a recipe's id, so it is the same for previews, requests and pages."""
    files = [
        aspect("just before", -24.0, -0.01),
        aspect("b", -1.0, 12.0),
        aspect("far", 1.0, 24.0),
        aspect("just after", 0.005, 24.0),
        aspect("a", -1.0, 12.0),
        aspect("longer", -2.0, 12.0),
    ]
    order = ["longer", "a", "b", "just after", "just before"]
    half = np.timedelta64(30, "s")
    for rows in (files, files[::-1]):
        assert [row.name for row in choose_aspect(rows, FLARE - half, FLARE + half)] == order


# The catalogue of inputs

hours = st.floats(-100 * 24, 100 * 24, allow_nan=False)


def catalogue(quiet=(), rows=(), flares=()) -> InputCatalog:
    return InputCatalog._sorted((), quiet, rows, flares, SHIPPED)


def flare_at(name: str, start: float, end: float, **changes) -> Flare:
    """A flare between two times, minutes from `FLARE`."""
    begin, stop = (FLARE + np.timedelta64(round(minutes * 60), "s") for minutes in (start, end))
    values = {
        "flare_id": name,
        "t_peak": begin + (stop - begin) // 2,
        "t_start": begin,
        "t_end": stop,
        "peak_counts": 1e4,
        "source": "detected",
        "updated_at": FLARE,
    }
    return Flare(**(values | changes))


@given(st.lists(hours, max_size=8), st.floats(0, 3600))
def test_the_catalogue_chooses_a_background_as_from_all_files(middles, length):
    files = [background(f"{number}", middle) for number, middle in enumerate(middles)]
    end = FLARE + np.timedelta64(round(length), "s")
    own = background("own", 0)
    chosen = catalogue(quiet=files).background_for(own, FLARE, end, (4.0, 10.0))
    assert chosen == choose_background(files, FLARE, end, (4.0, 10.0), "own")


@given(st.lists(st.tuples(hours, st.floats(0, 48)), max_size=8), st.floats(0, 3600))
def test_the_catalogue_chooses_aspect_files_as_from_all_files(times, length):
    rows = [aspect(f"{number}", start, start + span) for number, (start, span) in enumerate(times)]
    end = FLARE + np.timedelta64(round(length), "s")
    assert catalogue(rows=rows).aspect_for(background("own", 0), FLARE, end) == choose_aspect(rows, FLARE, end)


def test_distances_are_measured_from_the_middle_of_the_window():
    end = FLARE + np.timedelta64(4, "h")
    choice = choose_background([background("near", 5), background("start", -2)], FLARE, end, (4.0, 10.0))
    assert [candidate.distance_h for candidate in choice.candidates] == [3.0, -4.0]
    row = aspect("at the middle", 1.99, 2.01)
    assert choose_aspect([row, aspect("at the start", -0.01, 0.01)], FLARE, end) == [row]


def test_sixty_days_are_near_enough():
    choice = choose_background([background("edge", 60 * 24)], FLARE, FLARE, (4.0, 10.0))
    assert choice.chosen is not None
    assert catalogue(quiet=[choice.chosen]).background_for(background("own", 0), FLARE, FLARE, (4.0, 10.0)) == choice


def test_records_up_to_the_largest_gap_are_near_enough():
    gap = float(MAX_GAP / np.timedelta64(1, "h"))
    edges = [aspect("before", -9.0, -gap), aspect("after", gap, 9.0)]
    assert {row.name for row in choose_aspect(edges, FLARE, FLARE)} == {"before", "after"}
    assert catalogue(rows=edges).aspect_for(background("own", 0), FLARE, FLARE) == choose_aspect(edges, FLARE, FLARE)


@pytest.mark.parametrize(
    ("flares", "expected"),
    [
        ([("short", -5, 2), ("long", 1, 30)], "long"),
        ([("long", -30, 8), ("short", 7, 30)], "long"),
        ([("before", -30, 0), ("after", 10, 30)], None),
        ([], None),
    ],
)
def test_a_window_belongs_to_the_flare_that_it_overlaps_most(flares, expected):
    inputs = catalogue(flares=[flare_at(*flare) for flare in flares])
    found = inputs.flare_during(background("file", 0), FLARE, FLARE + np.timedelta64(10, "m"))
    assert (found.flare_id if found else None) == expected


def test_flares_without_start_or_end_are_no_choice():
    lacking = replace(flare_at("lacking", 0, 10), t_end=None), replace(flare_at("also", 0, 10), t_start=None)
    inputs, file = catalogue(flares=lacking), background("file", 0)
    assert inputs.flare_during(file, FLARE, FLARE + np.timedelta64(10, "m")) is None
    assert inputs.flares_in(file) == {}


def test_flares_of_a_file_have_their_peak_in_it():
    """From the start of the file, up to but without its end."""
    file = background("file", 0)
    peaks = {"before": -HALF - np.timedelta64(1, "us"), "first": -HALF, "last": HALF - np.timedelta64(1, "us")}
    flares = [flare_at(name, -60, 60, t_peak=FLARE + peak) for name, peak in (peaks | {"after": HALF}).items()]
    assert list(catalogue(flares=flares).flares_in(file)) == ["first", "last"]


@pytest.mark.parametrize("simulated", [False, True])
def test_real_and_simulated_flares_are_never_mixed(simulated):
    inputs = catalogue(flares=[flare_at("real", -5, 5), flare_at("simulated", -5, 6, simulated=True)])
    file, end = background("file", 0, simulated=simulated), FLARE + np.timedelta64(5, "m")
    expected = "simulated" if simulated else "real"
    assert list(inputs.flares_in(file)) == [expected]
    assert inputs.flare_during(file, FLARE, end).flare_id == expected
    other = catalogue(flares=[flare_at("other", -5, 5, simulated=not simulated)])
    assert other.flare_during(file, FLARE, end) is None


def test_the_flare_that_a_purpose_names():
    assert flare_named_in("Flare 2211111136, Solar Flare, CL1") == "2211111136"
    assert flare_named_in("BKG quiet, Background") == ""


@pytest.fixture(scope="module")
def mixed_archive(tmp_path_factory):
    """An archive with real and simulated inputs around `FLARE`, current and superseded ones."""
    archive = Archive(tmp_path_factory.mktemp("mixed"), create=True)
    gap = float(MAX_GAP / np.timedelta64(1, "h"))
    both = [(prefix, {"simulated": prefix == "simulated "}) for prefix in ("real ", "simulated ")]
    science = [background(f"{p}own", 0.2, is_background=False, **which) for p, which in both]
    science += [background(f"{p}data", -2, is_background=False, **which) for p, which in both]
    science += [background(f"{p}quiet", 30, **which) for p, which in both]
    science += [background(f"{p}old", 20, superseded_by="newer", **which) for p, which in both]
    aux = [aspect(f"{p}before", -24, -gap, **which) for p, which in both]
    aux += [aspect(f"{p}after", 0.5 + gap, 24, **which) for p, which in both]
    aux += [aspect(f"{p}superseded", -1, 1, superseded_by="newer", **which) for p, which in both]
    flares = [flare_at(f"{p}flare", 0, 20 if which["simulated"] else 10, **which) for p, which in both]
    for table, rows in (("science_files", science), ("aux_files", aux), ("flares", flares)):
        archive.upsert(table, rows)
    return archive


@pytest.mark.parametrize("prefix", ["real ", "simulated "])
@pytest.mark.parametrize("minutes", [(0, 0), (0, 30), (30, 30)])
def test_a_catalogue_around_a_window_chooses_as_that_of_the_archive(mixed_archive, prefix, minutes):
    """For every window between the times it was made for."""
    file = mixed_archive.science_file(f"{prefix}own")
    first, last = FLARE, FLARE + np.timedelta64(30, "m")
    start, end = (FLARE + np.timedelta64(number, "m") for number in minutes)
    around, of = InputCatalog.around(mixed_archive, file, first, last), InputCatalog.of(mixed_archive)
    assert around.science == {file.name: file}
    assert of.science[file.name] == file
    assert f"{prefix}old" in of.science  # images of superseded files are judged by them
    for inputs in (around, of):
        assert inputs.background_for(file, start, end, (4.0, 10.0)).chosen.name == f"{prefix}quiet"
    assert around.background_for(file, start, end, (4.0, 10.0)) == of.background_for(file, start, end, (4.0, 10.0))
    names = {(0, 0): ["before"], (0, 30): [], (30, 30): ["after"]}[minutes]
    assert [row.name for row in of.aspect_for(file, start, end)] == [f"{prefix}{name}" for name in names]
    assert around.aspect_for(file, start, end) == of.aspect_for(file, start, end)
    assert around.flares_in(file) == of.flares_in(file)
    assert list(of.flares_in(file)) == [f"{prefix}flare"]


def test_a_catalogue_without_backgrounds_has_the_rest(mixed_archive):
    file = mixed_archive.science_file("real own")
    end = FLARE + np.timedelta64(30, "m")
    inputs = InputCatalog.around(mixed_archive, file, FLARE, end, backgrounds=False)
    assert inputs.quiet == {False: [], True: []}
    assert inputs.aspect == InputCatalog.around(mixed_archive, file, FLARE, end).aspect
    assert inputs.aspect[False] != []
