"""Which calibration for which time: the shipped tables against the published ones, CAL files by the rule."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stixcore.calibration.catalog import (
    SHIPPED,
    CalFile,
    CalibrationCatalog,
    CatalogFaults,
    edge_difference,
    merged_validity,
)
from stixcore.calibration.energy import actual_edges, edge_factors
from stixcore.errors import CalibrationError, InvalidProduct
from stixcore.fits.cal_energy import read_cal_energy
from stixcore.instrument.calibration_file import FILE_NAME
from stixcore.instrument.energy_tables import (
    Validity,
    parse_energy_table,
    parse_phases,
    parse_science_channels,
    parse_validity,
)
from stixcore.instrument.makers.calibration import calibration_document, packed_calibration
from stixcore.references import TableReference

CAL_NAME = "solo_CAL_stix-cal-energy_20250302T230511-20250303T230512_V02.fits"


def time(text):
    return np.datetime64(text, "us")


@pytest.fixture
def tables(shared_data):
    return shared_data / "tables" / "elut"


@pytest.fixture
def cal_path(shared_data):
    return shared_data / "products" / CAL_NAME


def test_the_shipped_file_is_rebuilt_bit_for_bit(tables):
    import stixcore.instrument

    shipped = Path(stixcore.instrument.__file__).parent / "data" / FILE_NAME
    assert shipped.read_bytes() == packed_calibration(tables)


def test_an_edge_changed_by_one_changes_the_file(tables, tmp_path):
    folder = shutil.copytree(tables, tmp_path / "tables", copy_function=shutil.copyfile)
    folder.chmod(0o755)
    path = folder / "elut_table_20260529.csv"
    path.write_text(path.read_text().replace(",931,940,", ",932,940,", 1))
    ours, theirs = calibration_document(folder), calibration_document(tables)
    changed = [name for name in ours["energy_tables"] if ours["energy_tables"][name] != theirs["energy_tables"][name]]
    assert changed == ["elut_table_20260529"]


def test_the_list_of_tables():
    rows = SHIPPED.validity
    assert (len(rows), len({row.name for row in rows})) == (19, 18)
    assert [row.end for row in rows[:-1]] == [row.start for row in rows[1:]]
    assert rows[-1].end is None
    twice = [(str(row.start)[:10], str(row.end)[:10]) for row in rows if row.name == "elut_table_20221214"]
    assert twice == [("2023-01-19", "2023-01-30"), ("2023-02-02", "2023-06-19")]


def test_edges_are_those_of_the_column_names():
    assert SHIPPED.tables["elut_table_20221220"].nominal[1] == 4.45
    assert SHIPPED.tables["elut_table_20230710"].nominal[1] == 5.50
    assert SHIPPED.tables["elut_table_20260529"].nominal[1] == 5.0


@pytest.mark.parametrize(
    ("date", "second"),
    [("2022-11-11", 5.0), ("2023-01-30T12:00", 4.45), ("2023-08-15", 5.5), ("2026-07-11", 5.0)],
)
def test_science_channels_by_date(date, second):
    assert SHIPPED.science_channels_at(time(date)).edges[:3] == (0.0, 4.0, second)


def test_energy_tables_have_edges_of_the_science_channels_of_their_time():
    disagree = []
    for row in SHIPPED.validity:
        channels = SHIPPED.science_channels_at(row.start)
        if channels.edges[1:] != tuple(SHIPPED.tables[row.name].nominal):
            disagree.append((row.name, str(row.start)[:10], channels.name))
    assert disagree == []


def test_known_age_is_as_long_as_any_table_was_in_force():
    assert str(SHIPPED.known_until)[:10] == "2027-05-03"
    assert SHIPPED.doubt_about(time("2026-07-11")) == ""
    assert "elut_table_20260529" in SHIPPED.doubt_about(time("2028-01-01"))


def test_a_date_in_a_gap_between_two_tables_is_doubted():
    rows = (
        Validity("elut_table_20260529", time("2026-06-15"), time("2026-09-01")),
        Validity("elut_table_20270815", time("2026-10-01"), None),
    )
    catalog = replace(SHIPPED, added_validity=rows)
    for date in ("2026-08-31T23:59:59", "2026-10-01"):
        assert catalog.doubt_about(time(date)) == ""
    for date in ("2026-09-01", "2026-09-30T23:59:59"):
        assert catalog.doubt_about(time(date)) == (
            "no energy table is known from 2026-09-01 00:00 to 2026-10-01 00:00; "
            "the one before, elut_table_20260529, was taken"
        )
    assert all(SHIPPED.doubt_about(row.start) == "" for row in SHIPPED.validity)


def test_a_table_by_name_and_hash():
    table = SHIPPED.tables["elut_table_20260529"]
    assert SHIPPED.energy_table(TableReference(table.name, table.sha256)) is table
    with pytest.raises(CalibrationError, match="elut_table_20260529 with SHA-256 00"):
        SHIPPED.energy_table(TableReference(table.name, "0" * 64))
    with pytest.raises(CalibrationError, match="elut_table_20301231, which this installation does not have"):
        SHIPPED.energy_table(TableReference("elut_table_20301231", "0" * 64))


def test_recipes_of_version_1_see_the_list_of_their_time():
    old = CalibrationCatalog(version_1=True)
    assert old.energy_table_at(time("2026-07-11")).name == "elut_table_20250523"
    assert old.energy_table_at(time("2024-02-19T03:00")).name == "elut_table_20231019"
    assert SHIPPED.energy_table_at(time("2024-02-19T03:00")).name == "elut_table_20240205"


def test_a_catalog_is_small_on_the_way_to_a_worker():
    assert SHIPPED.tables  # derived values do not travel
    assert len(pickle.dumps(SHIPPED)) < 500
    assert pickle.loads(pickle.dumps(SHIPPED)).validity == SHIPPED.validity


def test_lists_are_merged():
    added = [Validity("elut_table_20270101", time("2027-02-01"), None)]
    rows = merged_validity(SHIPPED.validity, added)
    assert [row.name for row in rows[-2:]] == ["elut_table_20260529", "elut_table_20270101"]
    assert rows[-2].end == time("2027-02-01")
    with pytest.raises(CalibrationError, match="both elut_table_20260529 and elut_table_20270101"):
        merged_validity(SHIPPED.validity, [replace(added[0], start=time("2026-06-15"))])


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda text: text.replace("ADC Edge #3", "ADC Edge #4"), "column names"),
        (lambda text: text.replace("- 5 keV", "- 3 keV"), "do not increase"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "383 rows"),
        (lambda text: text.replace(",931,", ",941,", 1), "line 4: column 'ADC Edge #1 - 5 keV': 940 is not above"),
        (lambda text: text.replace(",931,", ",931.5,", 1), "931.5 is not a whole number from 0 to 4095"),
        (lambda text: text.replace(",2245\n", ",99999\n", 1), "99999 is not a whole number"),
        (lambda text: text.replace(",931,", ",nan,", 1), "line 4: column 'ADC Edge #0 - 4 keV': 'nan' is not a finite"),
        (lambda text: text.replace(",931,", ",x,", 1), "line 4: column 'ADC Edge #0 - 4 keV': 'x' is not a finite"),
        (lambda text: text.replace(",0,0,931", ",0.5,0,931", 1), "line 4: column 'Pixel': 0.5 is not a whole number"),
        (lambda text: text.replace(",0,0,931", ",0,32,931", 1), "line 4: column 'Detector': 32 is not a whole number"),
        (
            lambda text: text.replace(",0.11112692,", ",1e200,", 1),
            "line 4: column 'Gain .keV/ADC.': 1e.200 is not a gain",
        ),
        (lambda text: text.replace("895.13635,", "1e9,", 1), "line 4: .* is not an edge within 2 keV"),
        (lambda text: text.replace("895.13635,0.11112692", "0.11112692,895.13635"), "895.13635 is not a gain"),
        (lambda text: text.replace("- 5 keV", "- 5.5 keV").replace("- 150 keV", "- 250 keV"), "within 2 keV"),
        (lambda text: text.replace("895.13635,", "895.13635,7,", 1), "line 4: a row of 36 numbers, 35 needed"),
        (lambda text: text.replace("Offset (ADC),Gain (keV/ADC)", "Offset (ADC),Pixel"), "'Pixel' stands where 'Gain'"),
        (lambda text: text.replace("895.13635,", f'"{"1" * 200_000}",', 1), "line 4 cannot be read: field larger"),
        (lambda text: text.replace("895.13635", "895\0.1", 1), "is not a finite number"),
        (lambda text: text.replace("895.13635", "x" * 100_000, 1), "'x{79}…' is not a finite number"),
        (lambda text: text.replace("Offset", "Ofset"), "Offset"),
    ],
)
def test_damaged_tables_are_refused(tables, damage, word):
    text = (tables / "elut_table_20260529.csv").read_text()
    with pytest.raises(CalibrationError, match=rf"elut_table_20260529\.csv[,:] .*{word}") as error:
        parse_energy_table(damage(text), "elut_table_20260529.csv", "")
    assert len(str(error.value)) < 300


A, B, SPAN = "elut_table_20260101", "elut_table_20270101", "2026-01-01T00:00:00, 2027-01-01T00:00:00"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("index\n", "no rows"),
        (f"index\n1, {SPAN}, {A}\n2, 2026-06-01T00:00:00, none, {B}", "lines 2 and 3: .* both in force"),
        (f"index\n1, 2026-01-01T00:00:00, none, {A}\n2, 2027-01-01T00:00:00, none, {B}", "both in force"),
        (
            f"index\n1, {SPAN}, {A}\n2, 2027-01-01T00:00:00, none, {A}",
            f"lines 2 and 3: {A} is said to start both at 2026",
        ),
        (f"index\n1, 2026-01-01T00:00:00, 2025-01-01T00:00:00, {A}\n2, {SPAN}, {B}", "line 2: .* before it starts"),
        (f"index\n1, 2026-01-01T00:00:00, 2026-13-01T00:00:00, {A}", "line 2: .*impossible date"),
        *(
            (f"index\n1, {date}, none, {A}", "line 2: .*is not 'number")
            for date in ("today", "NaT", "null", "2026", "")
        ),
        *((f"index\n1, {SPAN}, {name}", "line 2: .*is not a name") for name in ("../../" + A, "..", "a\0b", "a" * 300)),
        (f"index\n1, {'x' * 100_000}", "line 2: '1, x{76}…' is not"),
    ],
)
def test_damaged_lists_are_refused(text, word):
    with pytest.raises(CalibrationError, match=rf"elut_index\.csv[,:] .*{word}") as error:
        parse_validity(text, "elut_index.csv")
    assert len(str(error.value)) < 300


def test_damaged_channels_and_phases_are_refused():
    with pytest.raises(CalibrationError, match="channels 0 to 31"):
        parse_science_channels("0,0,0,0,4\n1,1,4,5,6\n", "channels.csv")
    with pytest.raises(CalibrationError, match="angle"):
        parse_phases("1,east\n", "phases.csv")


def test_a_cal_file(cal_path):
    run = read_cal_energy(cal_path)
    assert run.livetime == pytest.approx(44224.359)
    assert (run.energy_table, run.gain_range_ok) == ("elut_table_20241114", True)
    assert (run.duration, run.version) == (86401.0, (2, True))
    np.testing.assert_allclose([run.offset.min(), run.offset.max()], [856.20, 932.80], atol=0.006)
    np.testing.assert_allclose([run.gain.min(), run.gain.max()], [0.10619, 0.11280], atol=6e-6)
    expected = [4.067341, 5.061584, 6.055827, 7.050070, 8.044312, 9.038555, 10.032798]
    np.testing.assert_allclose(run.edges[0, 0, :7], expected, atol=5e-7)
    assert run.edges[0, 0, -1] == pytest.approx(149.779150, abs=5e-7)
    table = SHIPPED.tables[run.energy_table]
    assert np.abs(edge_difference(table, run)).max() < 1e-12  # edges are those of offset, gain and the table
    for energy, mean, scatter in (
        (4, 0.034, 0.095),
        (6, 0.037, 0.087),
        (10, 0.038, 0.080),
        (15, 0.040, 0.067),
        (28, 0.044, 0.047),
        (50, 0.045, 0.062),
    ):
        difference = actual_edges(replace(table, edges=run.edges), energy) - energy
        assert difference.mean() == pytest.approx(mean, abs=6e-4)
        assert difference.std() == pytest.approx(scatter, abs=6e-4)


@pytest.mark.parametrize(
    ("channels", "gamma", "expected"),
    [
        (slice(3, 7), 5.0, (1.0828374, 0.9745520)),
        (slice(3, 4), 5.0, (1.0482807, 1.0)),
        (slice(3, 4), 0.0, (1.0057905, 1.0)),
    ],
)
def test_edges_of_a_cal_file_give_the_factors_of_the_ground_software(cal_path, channels, gamma, expected):
    run = read_cal_energy(cal_path)
    table = replace(SHIPPED.tables[run.energy_table], edges=run.edges)
    edges = np.array(SHIPPED.science_channels_at(run.t_start).edges)
    low, high = edges, np.append(edges[1:], np.inf)
    factors = edge_factors(table, low, high, channels, np.full(32, gamma))
    assert [factor[0, 0] for factor in factors] == pytest.approx(expected, abs=6e-8)


def test_another_product_is_no_cal_file(shared_data):
    with pytest.raises(
        InvalidProduct, match=r"expected a CAL energy file \(LEVEL CAL, .* found another product \(LEVEL L1,"
    ):
        read_cal_energy(shared_data / "products" / "solo_L1_stix-cal-energy_20200506_V01.fits")


@pytest.fixture
def cal_file(cal_path):
    return CalFile.of(cal_path)


@pytest.mark.parametrize(
    ("day", "word"),
    [
        ("2025-03-03", ""),
        ("2025-03-13", ""),
        ("2025-03-14", "no CAL file within 10 days"),
        ("2025-02-20", "no CAL file within 10 days"),
        ("2025-06-10", "no CAL file within 10 days"),
    ],
)
def test_the_nearest_cal_file_of_ten_days(cal_file, day, word):
    start = time(day) + np.timedelta64(12, "h")
    chosen = CalibrationCatalog(cal_files=(cal_file,)).choose(start, start + np.timedelta64(60, "s"))
    assert (chosen.cal_file is None) == bool(word)
    assert word in chosen.reason
    assert chosen.reference.cal_file == chosen.cal_file
    run = read_cal_energy(cal_file.path)
    assert np.array_equal(chosen.energy_table.edges, run.edges) == (not word)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"livetime": 29_999.0}, "29999 s of live time"),
        ({"duration": 29_999.0}, "29999 s long"),
        ({"energy_table": "elut_table_20240709"}, "energy table elut_table_20240709"),
        ({"t_start": time("2025-06-08T12:00"), "t_end": time("2025-06-09T12:00")}, "elut_table_20241114"),
    ],
)
def test_cal_files_that_do_not_qualify(cal_file, change, word):
    file = replace(cal_file, **change)
    start = time("2025-06-10") if "t_start" in change else time("2025-03-03")
    chosen = CalibrationCatalog(cal_files=(file,)).choose(start, start + np.timedelta64(60, "s"))
    assert chosen.cal_file is None
    assert word in chosen.reason
    assert chosen.energy_table is SHIPPED.energy_table_at(start)


def test_a_cal_file_of_the_shortest_duration_and_live_time_qualifies(cal_file):
    file = replace(cal_file, duration=30_000.0, livetime=30_000.0)
    start = time("2025-03-03")
    assert CalibrationCatalog(cal_files=(file,)).reference_at(start, start).cal_file.name == file.name


def test_a_damaged_list_of_tables_matters_from_the_last_shipped_table_on():
    damaged = CalibrationCatalog(faults=CatalogFaults(validity="the list of tables is damaged"))
    last = SHIPPED.validity[-1].start
    with pytest.raises(CalibrationError, match="the list of tables is damaged"):
        damaged.energy_table_at(last)
    before = last - np.timedelta64(1, "us")
    assert damaged.energy_table_at(before) is SHIPPED.energy_table_at(before)


def test_the_text_of_a_catalog_tells_its_content(cal_file):
    other = replace(cal_file, sha256="0" * 64)
    contents = [
        {},
        {"version_1": True},
        {"cal_files": (cal_file,)},
        {"cal_files": (other,)},
        {"added": (SHIPPED.energy_table_at(time("2025-03-03")),)},
        {"added_validity": SHIPPED.validity[-1:]},
        {"faults": CatalogFaults(cal_files="damaged")},
    ]
    assert len({repr(CalibrationCatalog(**one)) for one in contents}) == len(contents)
    assert repr(CalibrationCatalog(cal_files=(cal_file,))) == repr(CalibrationCatalog(cal_files=(replace(cal_file),)))


def test_the_newest_complete_version_of_the_nearest_run(cal_file):
    """``_V03U`` has not all packets of the run: it does not replace a complete ``_V02``."""
    day = np.timedelta64(1, "D")
    far = replace(cal_file, name="far", t_start=cal_file.t_start - 3 * day, t_end=cal_file.t_end - 3 * day)
    incomplete = replace(cal_file, name="incomplete", version=(3, False))
    older = replace(cal_file, name="older", version=(1, True))
    catalog = CalibrationCatalog(cal_files=(far, older, cal_file, incomplete))
    start = time("2025-03-03")
    assert catalog.choose(start, start).cal_file.name == cal_file.name
    alone = CalibrationCatalog(cal_files=(far, incomplete))
    assert alone.choose(start, start).cal_file.name == incomplete.name


@pytest.mark.parametrize("order", [1, -1])
def test_a_complete_file_comes_before_an_incomplete_one_of_its_version(cal_file, order):
    """``_V02U`` has not all packets of the run; a name alone does not decide."""
    incomplete = replace(cal_file, name="a_V02U.fits", version=(2, False))
    start = time("2025-03-03")
    chosen = CalibrationCatalog(cal_files=(cal_file, incomplete)[::order]).reference_at(start, start)
    assert chosen.cal_file.name == cal_file.name


def test_the_nearest_run_is_that_of_the_middle_of_the_window(cal_file):
    hour = np.timedelta64(1, "h")
    early, late = (
        replace(cal_file, name=name, t_start=cal_file.middle + a * hour, t_end=cal_file.middle + b * hour)
        for name, a, b in (("early", -24, 0), ("late", 24, 48))
    )
    catalog = CalibrationCatalog(cal_files=(early, late))

    def nearest(start, end):
        return catalog.reference_at(cal_file.middle + start * hour, cal_file.middle + end * hour).cal_file.name

    assert nearest(-12, 46) == "late"  # middle 17 h, the runs' -12 and 36 h
    assert nearest(-12, 30) == "early"
    assert nearest(0, 60) == "late"
    assert nearest(-40, 36) == "early"


@pytest.mark.parametrize(("start", "usable"), [("2025-06-09T00:00", False), ("2025-06-09T00:06", True)])
def test_a_cal_file_belongs_to_the_table_in_force_when_its_run_began(cal_file, start, usable):
    """Table 20250523 has been in force since 2025-06-09 00:05:18; a run that spans the change is of neither."""
    begin, day = time(start), np.timedelta64(1, "D")
    file = replace(cal_file, energy_table="elut_table_20250523", t_start=begin, t_end=begin + day)
    window = time("2025-06-10")
    used = CalibrationCatalog(cal_files=(file,)).reference_at(window, window)
    assert used.energy_table.name == "elut_table_20250523"
    assert (used.cal_file is not None) is usable


@pytest.fixture
def named_in_a_recipe(cal_file):
    """A function: what a catalogue with the CAL file gives for a recipe that names some calibration."""
    catalog = CalibrationCatalog(cal_files=(cal_file,))
    wanted = catalog.reference_at(time("2025-03-03"), time("2025-03-04"))

    def give(**changes):
        times = {"t_start": time("2025-03-03"), "t_end": time("2025-03-04")}
        recipe = SimpleNamespace(calibration=replace(wanted, **changes), version=2, **times)
        return catalog.referenced(recipe, lambda file: cal_file.path)

    return give


def test_a_recipe_gets_the_edges_of_its_cal_file(named_in_a_recipe, cal_path):
    np.testing.assert_array_equal(named_in_a_recipe().energy_table.edges, read_cal_energy(cal_path).edges)


@pytest.mark.parametrize("change", [{"name": "other phases"}, {"sha256": "0" * 64}])
def test_other_phase_corrections_than_a_recipe_names_are_refused(named_in_a_recipe, change):
    phases = named_in_a_recipe().reference.phase_table
    with pytest.raises(CalibrationError, match="the recipe needs the phase corrections"):
        named_in_a_recipe(phase_table=replace(phases, **change))


def test_edges_of_one_table_are_not_put_on_another(named_in_a_recipe):
    table = SHIPPED.tables["elut_table_20250523"]
    with pytest.raises(CalibrationError, match="taken with the energy table elut_table_20241114, not with"):
        named_in_a_recipe(energy_table=TableReference(table.name, table.sha256))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_cal_file_is_refused(cal_path, tmp_path, share):
    content = cal_path.read_bytes()
    path = tmp_path / CAL_NAME
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InvalidProduct, match="a daily energy calibration"):
        read_cal_energy(path)


def test_a_cal_file_that_was_replaced_is_refused(cal_file, tmp_path):
    path = tmp_path / cal_file.name
    path.write_bytes(cal_file.path.read_bytes() + b"\0")
    catalog = CalibrationCatalog(cal_files=(replace(cal_file, path=path),))
    with pytest.raises(InvalidProduct, match="SHA-256"):
        catalog.choose(time("2025-03-03"), time("2025-03-04"))


def test_the_document_is_plain_json(tables):
    document = calibration_document(tables)
    assert json.loads(json.dumps(document)) == document
    assert "fd35ff9" in document["source"]


def test_a_recipe_says_why_it_has_its_cal_file_or_none(cal_file):
    """What is used and how far away it is; else what is wrong with the nearest one."""

    class Named:
        version = 2

        def __init__(self, day, catalog):
            self.t_start = time(day) + np.timedelta64(12, "h")
            self.t_end = self.t_start + np.timedelta64(60, "s")
            self.calibration = catalog.choose(self.t_start, self.t_end).reference

    def reason(day, *files, now=None):
        recipe = Named(day, CalibrationCatalog(cal_files=files))
        catalog = CalibrationCatalog(cal_files=files if now is None else now)
        return catalog.referenced(recipe, lambda _: cal_file.path).reason

    middle, day = cal_file.middle, cal_file.middle.astype("datetime64[D]")
    hours = float((day + np.timedelta64(43_230, "s") - middle) / np.timedelta64(3600, "s"))
    side = "before" if hours > 0 else "after"
    assert reason(str(day), cal_file) == f"as the recipe says: {abs(hours):.1f} h {side} the window"
    assert reason(str(day + np.timedelta64(12, "D")), cal_file).startswith(
        "no daily energy calibration: no CAL file within 10 days; the near"
    )
    assert f"{(hours / 24 + 12):.1f} days before" in reason(str(day + np.timedelta64(12, "D")), cal_file)
    assert "none at all" in reason(str(day))
    assert "the window with" in reason(str(day), replace(cal_file, energy_table="elut_table_20240709"))
    assert f"though there is {cal_file.name}" in reason(str(day), now=(cal_file,))


def test_the_nearest_cal_file_says_what_is_wrong(cal_file):
    day = np.timedelta64(1, "D")
    short = replace(cal_file, name="short", duration=99.0)
    far = replace(short, name="far", t_start=short.t_start - 5 * day, t_end=short.t_end - 5 * day)
    chosen = CalibrationCatalog(cal_files=(far, short)).choose(cal_file.t_start, cal_file.t_end)
    assert "short is 99 s long" in chosen.reason
