"""The archive in operation: files in any order, commands that overlap, logs, and the examples that people copy."""

import configparser
import io
import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archive import Archive, RunFilter, RunKind, RunStatus
from archive.checks.findings import Code, Level, codes_markdown
from archive.checks.run import check
from archive.index.filters import ImageFilter
from archive.index.records import RECORD, read_record
from archive.ingest.added_files import AddStatus
from archive.ingest.calibration import add_calibration
from archive.replaced import read_replaced
from jobs.cli.parser import build_parser, main
from jobs.fetch.download import PARTIAL
from jobs.inputs import InputCatalog
from jobs.previews.run import make_previews
from jobs.previews.stale import discard_stale_previews
from jobs.previews.windows import PreviewRules
from jobs.queue.journal import Journal, RequestState, TaskResult
from jobs.queue.leases import Leases
from jobs.shared import logs
from jobs.shared.lock import AlreadyRunning, single_instance
from stixcore.calibration.catalog import CalFile, CalibrationCatalog
from stixcore.instrument.energy_tables import Validity
from stixcore.simulation.campaign import simulate_campaign

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).resolve().parents[2]
MANUAL = REPOSITORY / "docs/how-to/operation.md"
NOW = np.datetime64("2026-03-20T00:00:00", "us")
#: What depends on when something was done, and on nothing else.
TIMES = {"ingested_at", "started_at", "created_at", "updated_at", "limits_changed_at", "elapsed_s"}


def rows_of(archive):
    """All rows of all tables but times; of images also without hash and size, for the header holds the time."""
    found = {}
    for table, key in (
        ("science_files", "name"), ("quicklook_files", "name"), ("aux_files", "name"),
        ("flares", "flare_id"), ("runs", "run_id"), ("images", "image_id"),
    ):  # fmt: skip
        rows = archive.query(f"SELECT * FROM {table} ORDER BY {key}").to_pylist()
        apart = TIMES | ({"sha256", "size"} if table == "images" else set())
        found[table] = [{name: value for name, value in row.items() if name not in apart} for row in rows]
    return found


def later():
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(2, "h")


@pytest.fixture(scope="module")
def flare(built_once):
    """Folder with the files of one simulated flare: pixel data, background, ephemeris, light curve."""
    start = np.datetime64("2026-03-14T06:00:00", "us")
    folder, (truth,) = built_once(
        "one-flare", lambda folder: simulate_campaign(folder, 3, start, 0.2, 5.0, min_separation=3600.0)
    )
    return folder, truth


def without_cubes(root):
    """Cubes have tests of their own."""
    root.mkdir(exist_ok=True)
    (root / "config.toml").write_text("[previews]\ncube = false\n")


@pytest.fixture(scope="module")
def at_once(flare, built_once):
    """The archive that a single run makes of them."""

    def build(root):
        without_cubes(root)
        assert main(["ingest", str(flare[0]), "--archive", str(root)]) == 0
        assert main(["flares", "--archive", str(root)]) == 0
        assert main(["previews", "--archive", str(root)]) == 0

    return Archive(built_once("at-once", build)[0])


def cron_line(root):
    """The line of the example crontab that takes files in and makes images, for this archive and this Python."""
    lines = (REPOSITORY / "deploy/crontab.example").read_text().splitlines()
    (line,) = (line for line in lines if "stix-jobs" in line and "ingest" in line and "previews" in line)
    command = line.split(maxsplit=5)[5].replace("\\%", "%").replace('2>>"$STIX_LOGS/pipeline.jsonl"', "")
    return command.replace("stix-jobs", f"{shlex.quote(sys.executable)} -m jobs.cli")


def test_files_in_any_order_and_commands_that_overlap_end_in_the_same_archive(flare, at_once, tmp_path, capfd):
    folder, truth = flare
    names = sorted(path.name for path in folder.iterdir())
    # a random order in which images are first made without flare list, background and ephemeris
    orders = (np.random.default_rng(seed).permutation(names).tolist() for seed in range(1000))
    order = next(one for one in orders if one[0] == truth["file"])
    batches = [order[:1], order[1:3], order[3:]]
    root = tmp_path / "archive"
    incoming = Archive(root, create=True).root / "incoming"
    without_cubes(root)
    for batch in batches[:2]:
        for name in batch:
            shutil.copy(folder / name, incoming)
        assert main(["ingest", "--incoming", str(incoming), "--archive", str(root), "--no-wait"]) == 0
        assert main(["flares", "--archive", str(root), "--no-wait"]) == 0
        assert main(["previews", "--archive", str(root), "--no-wait"]) == 0
    for name in batches[2]:
        shutil.copy(folder / name, incoming)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "STIX_ARCHIVE": str(root)}
    runs = [
        subprocess.Popen(["/bin/sh", "-c", cron_line(root)], env=environment, stdout=-1, stderr=-1, text=True)
        for _ in range(2)
    ]
    told = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert rows_of(Archive(root)) == rows_of(at_once)
    assert list(incoming.iterdir()) == []
    assert [one for one in check(Archive(root), later()) if one.level is not Level.INFO] == []
    assert sorted(path.name for path in root.glob("images/*/*/*/*/*.fits")) == sorted(
        path.name for path in at_once.root.glob("images/*/*/*/*/*.fits")
    )
    for _, errors in told:
        assert all(json.loads(line) for line in errors.splitlines() if line.startswith("{"))


# Previews that would be others today ----------------------------------------------------------------------------------


@pytest.fixture
def own(at_once, tmp_path):
    root = tmp_path / "archive"
    shutil.copytree(at_once.root, root)
    return Archive(root)


def test_no_preview_is_stale_while_no_file_arrives(own):
    before = rows_of(own)
    assert discard_stale_previews(own, NOW) == ()
    assert rows_of(own) == before


def previews_of(archive):
    return archive.runs(RunFilter(kind=RunKind.AUTO, statuses=(RunStatus.DONE,), all_hidden=True))


@pytest.mark.parametrize(
    ("table", "reason"),
    [("science_files", "the background is now none"), ("aux_files", "auxiliary files have changed")],
)
def test_previews_made_with_what_is_not_to_be_used_any_more_are_given_up(own, flare, table, reason):
    name = flare[1]["background" if table == "science_files" else "auxiliary"]
    own.delete(table, [name])
    runs = previews_of(own)
    discarded = discard_stale_previews(own, NOW)
    # both bands of this flare have enough counts; for skipped ones see jobs/previews/test_run.py
    assert {one.run.run_id for one in discarded} == {run.run_id for run in runs}
    assert all(reason in one.reason for one in discarded)
    assert previews_of(own) == []
    assert own.images(ImageFilter(all_hidden=True)) == []
    assert not any(own.path_of(run.folder).exists() for run in runs)


def test_previews_of_a_superseded_version_are_given_up(own, flare):
    row = own.science_file(flare[1]["file"])
    own.upsert("science_files", [replace(row, superseded_by="newer.fits")])
    assert {one.reason for one in discard_stale_previews(own, NOW)} == {"its science file was replaced by newer.fits"}


def test_previews_of_a_reissued_file_are_given_up(own, flare):
    row = own.science_file(flare[1]["file"])
    own.upsert("science_files", [replace(row, sha256="0" * 64)])
    assert {one.reason for one in discard_stale_previews(own, NOW)} == {"its science file was reissued"}


def test_previews_without_pointing_stay_where_no_file_has_a_record_near(own, flare, monkeypatch):
    """Otherwise they would be given up, and made again the same, for ever."""
    import jobs.previews.stale as module

    run = previews_of(own)[0]
    recipe = json.loads(run.recipe) | {"aspect": []}
    own.upsert("runs", [replace(run, recipe=json.dumps(recipe))])
    assert [one.run.run_id for one in discard_stale_previews(own, NOW)] == [run.run_id]
    own.upsert("runs", [replace(run, recipe=json.dumps(recipe))])
    monkeypatch.setattr(module, "read_aspect", lambda path: pytest.fail("not there"))
    monkeypatch.setattr(module.StalenessCheck, "_points", lambda *words: False)
    assert discard_stale_previews(own, NOW) == ()


def with_a_cal_file(inputs, run):
    """Such inputs with a CAL file of the run's energy table around its time."""
    day, table = np.timedelta64(12, "h"), json.loads(run.recipe)["calibration"]["energy_table"]["name"]
    file = CalFile(Path("cal.fits"), "cal.fits", "c" * 64, table, run.t_start - day, run.t_end + day, 86_400.0, 4e4)
    return replace(inputs, calibration=CalibrationCatalog(cal_files=(file,)))


def with_another_table(inputs, run):
    """Such inputs with an energy table that came into force the day before the run."""
    name = json.loads(run.recipe)["calibration"]["energy_table"]["name"]
    table = replace(inputs.calibration.tables[name], name="elut_table_20991231", sha256="e" * 64)
    validity = Validity(table.name, run.t_start - np.timedelta64(1, "D"), None)
    return replace(inputs, calibration=CalibrationCatalog((table,), (validity,)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_a_cal_file, "the daily energy calibration is now cal.fits"),
        (with_another_table, "the energy table is now elut_table_20991231"),
    ],
)
def test_previews_with_an_older_calibration_are_given_up(own, change, reason):
    runs = previews_of(own)
    discarded = discard_stale_previews(own, NOW, inputs=change(InputCatalog.of(own), runs[0]))
    assert {(one.run.run_id, one.reason) for one in discarded} == {(run.run_id, reason) for run in runs}
    assert own.count_images() == 0
    for run in runs:  # their landing pages stay
        record = read_replaced(own.root, run.run_id)
        assert (record.run, record.reason, record.replaced_at) == (run, reason, NOW)
        assert {image.recipe_id for image in record.images} == {run.run_id}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda recipe: recipe["calibration"].update(cal_file={"name": "a.fits", "uid": "", "sha256": "a" * 64}),
            "the daily energy calibration is now none",
        ),
        (
            lambda recipe: recipe["calibration"]["energy_table"].update(sha256="a" * 64),
            "the energy table is now elut_table_20251120",
        ),
        # version 1, which took elut_table_20250523 of the list of its time
        (lambda recipe: recipe.pop("calibration"), "the energy table is now elut_table_20251120"),
    ],
)
def test_the_calibration_in_the_recipe_is_compared(own, change, reason):
    run = previews_of(own)[0]
    recipe = json.loads(run.recipe)
    change(recipe)
    own.upsert("runs", [replace(run, recipe=json.dumps(recipe))])
    assert [(one.run.run_id, one.reason) for one in discard_stale_previews(own, NOW)] == [(run.run_id, reason)]


def test_a_preview_of_version_1_stays_where_its_table_is_in_force_still(own):
    run = previews_of(own)[0]
    recipe = json.loads(run.recipe)
    del recipe["calibration"]
    then = np.datetime64("2024-02-01T12:00", "us")
    moved = replace(run, recipe=json.dumps(recipe), t_start=then, t_end=then + (run.t_end - run.t_start))
    own.upsert("runs", [moved])
    assert discard_stale_previews(own, NOW, months=["2024-02"]) == ()


def test_runs_of_users_stay_as_they_were_asked_for(own, flare):
    run = previews_of(own)[0]
    own.upsert("runs", [replace(run, kind=RunKind.USER, author="alice")])
    own.delete("science_files", [flare[1]["background"]])
    discard_stale_previews(own, NOW)
    assert own.run(run.run_id).author == "alice"
    assert own.images(ImageFilter(recipe_id=run.run_id))


def test_preview_that_answered_a_request_becomes_the_users(own, flare):
    run = previews_of(own)[0]
    journal, leases = Journal(own.root), Leases(own.root)
    for user in ("alice", "bob"):
        request, _ = journal.submit(user, f'"{user}"', NOW, uid=run.uid, task_count=1)
        leases.claim("w", NOW, 60.0)
        leases.record(request.request_id, "w", [TaskResult(0, run.run_id, "")], 1.0)
        leases.finish(request.request_id, "w", NOW, RequestState.DONE)
    own.delete("science_files", [flare[1]["background"]])
    assert run.run_id in {one.run.run_id for one in discard_stale_previews(own, NOW)}
    after = own.run(run.run_id)
    assert (after.kind, after.author) == (RunKind.USER, "alice")
    images = own.images(ImageFilter(recipe_id=run.run_id))
    assert {image.author for image in images} == {"alice"}
    assert all(own.path_of(image.file).is_file() for image in images)
    assert read_record(own.path_of(run.folder)).run == after
    assert discard_stale_previews(own, NOW) == ()


def test_failed_preview_is_tried_again_when_its_file_comes_again(own, flare):
    row, run = own.science_file(flare[1]["file"]), previews_of(own)[0]
    own.upsert("runs", [replace(run, run_id="f" * 16, status=RunStatus.FAILED, recipe=None, folder=None)])
    own.upsert("science_files", [replace(row, ingested_at=run.started_at)])
    assert discard_stale_previews(own, NOW) == ()
    own.upsert("science_files", [replace(row, ingested_at=run.started_at + np.timedelta64(1, "s"))])
    assert [one.run.run_id for one in discard_stale_previews(own, NOW)] == ["f" * 16]


@pytest.fixture
def looked_at(own, monkeypatch):
    """Months whose runs the previews look at, call by call; None: all."""
    import jobs.previews.run as module

    calls = []

    def give_up(*words, months, **options):
        calls.append(months)
        return discard_stale_previews(*words, months=months, **options)

    monkeypatch.setattr(module, "discard_stale_previews", give_up)
    return calls


def test_previews_look_again_only_where_something_came(own, flare, looked_at):
    make_previews(own, NOW)
    assert looked_at == []  # nothing since the last ones
    (listed,), row = own.flares(), own.science_file(flare[1]["background"])
    own.upsert("flares", [replace(listed, hpc_x=1.0, updated_at=later())])
    make_previews(own, NOW)
    assert looked_at == []  # a new position needs no new image
    own.upsert("flares", [replace(listed, limits_changed_at=later())])
    make_previews(own, NOW)
    assert looked_at == [{"2026-03"}]
    far = np.timedelta64(200, "D")
    own.upsert("science_files", [replace(row, name="far.fits", t_start=row.t_start - far, t_end=row.t_end - far)])
    make_previews(own, NOW)
    assert looked_at[1:] == [set()]  # too far away to matter
    make_previews(own, NOW)
    assert len(looked_at) == 2
    make_previews(own, NOW, rules=PreviewRules(min_counts=9_999.0))
    assert looked_at[2:] == [{"2026-03"}]  # other rules may decide otherwise
    (own.index / "read/previews.json").write_text("[5")
    make_previews(own, NOW)
    assert looked_at[3:] == [{"2026-03"}]
    make_previews(own, NOW, uids=["0000000000"])
    assert looked_at[4:] == [set()]


def test_previews_look_again_when_calibration_comes(own, looked_at, shared_data):
    (path,) = (shared_data / "products").glob("solo_CAL_stix-cal-energy_20250302*")
    make_previews(own, NOW)
    (added,) = add_calibration(own.root, [path], own.write_lock())
    assert added.status is AddStatus.ADDED
    make_previews(own, NOW)
    assert looked_at == [{"2026-03"}]
    make_previews(own, NOW)
    assert len(looked_at) == 1


def test_what_came_while_previews_were_made_is_looked_at_by_the_next(own, flare, looked_at, monkeypatch):
    import jobs.previews.run as module

    (listed,) = own.flares()
    known = module._known

    def meanwhile(archive, rules):
        own.upsert("flares", [replace(listed, limits_changed_at=later())])
        return known(archive, rules)

    own.upsert("flares", [replace(listed, limits_changed_at=NOW)])
    monkeypatch.setattr(module, "_known", meanwhile)
    make_previews(own, NOW)
    monkeypatch.setattr(module, "_known", known)
    make_previews(own, NOW)
    assert looked_at == [{"2026-03"}] * 2


def test_another_candidate_changes_the_record_of_the_choice_alone(own, flare):
    row = own.science_file(flare[1]["background"])
    far = np.timedelta64(10, "D")
    own.upsert(
        "science_files", [replace(row, name="far.fits", t_start=row.t_start - far, t_end=row.t_end - far, uid="1")]
    )
    before = {run.run_id for run in previews_of(own)}
    assert discard_stale_previews(own, NOW) == ()
    assert {run.run_id for run in previews_of(own)} == before
    assert all("nearest of 2" in run.background_reason for run in previews_of(own))
    folder = own.path_of(previews_of(own)[0].folder)
    assert "nearest of 2" in (folder / RECORD).read_text()


def test_flare_with_other_limits_gives_its_file_other_windows(own, flare):
    (listed,) = own.flares()
    assert {run.flare_id for run in previews_of(own)} == {listed.flare_id}
    own.upsert("flares", [replace(listed, source="list", limits_changed_at=later())])
    assert discard_stale_previews(own, NOW) == ()
    shorter = replace(listed, t_end=listed.t_start + np.timedelta64(20, "s"), limits_changed_at=later())
    own.upsert("flares", [shorter])
    assert {one.reason for one in discard_stale_previews(own, NOW)} == {"the limits of its flare have changed"}


def test_flare_whose_position_is_new_has_the_same_windows(own, flare, monkeypatch):
    """No file is read for it: a row is written whenever its position changes."""
    monkeypatch.setattr("jobs.previews.stale.read_pixel_data", lambda _path: pytest.fail("a file was read"))
    (listed,) = own.flares()
    own.upsert("flares", [replace(listed, hpc_x=1.0, updated_at=later())])
    assert discard_stale_previews(own, NOW) == ()


def test_flare_with_another_id_keeps_its_images(own, flare):
    (listed,) = own.flares()
    before = previews_of(own)
    own.delete("flares", [listed.flare_id])
    own.upsert("flares", [replace(listed, flare_id="2603149999")])
    assert discard_stale_previews(own, NOW) == ()
    assert {run.flare_id for run in previews_of(own)} == {"2603149999"}
    assert {run.run_id for run in previews_of(own) if run.folder} == {run.run_id for run in before if run.folder}
    assert {image.flare_id for image in own.images(limit=1000)} == {"2603149999"}
    folder = own.path_of(next(run.folder for run in previews_of(own) if run.folder))
    assert "2603149999" in (folder / RECORD).read_text()
    assert make_previews(own, later()).runs == ()


def test_other_flare_in_the_file_gives_it_other_images(own, flare):
    (listed,) = own.flares()
    own.delete("flares", [listed.flare_id])
    end = listed.t_start + np.timedelta64(20, "s")
    own.upsert("flares", [replace(listed, flare_id="2603149999", t_end=end)])
    assert {one.reason for one in discard_stale_previews(own, NOW)} == {"the flares in its file have changed"}


# Lock -----------------------------------------------------------------------------------------------------------------


def test_second_instance_leaves_and_the_lock_goes_with_its_holder(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from jobs.shared.lock import single_instance\n"
        "with single_instance(Path(sys.argv[1]), 'ingest'): print('held', flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=-1, env=environment) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning, match="stix-jobs ingest is already running"):
            single_instance(tmp_path, "ingest").__enter__()
        with single_instance(tmp_path, "previews"):
            pass
        holder.kill()
        holder.wait()
        with single_instance(tmp_path, "ingest", wait_s=5.0):
            pass


def test_command_that_is_at_work_already_is_left_quietly(own, stix_jobs):
    with single_instance(own.root, "previews"):
        status, out, err = stix_jobs("previews", "--archive", own.root, "--no-wait")
    assert (status, out, err) == (0, "", "")


# Logs -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def root_logger():
    """The logger that everything ends in, as it was before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def test_json_lines_hold_message_fields_context_and_exception(root_logger):
    stream = io.StringIO()
    logs.configure(verbose=True, as_json=True, stream=stream, command="fetch")
    log = logging.getLogger("jobs.fetch.client")
    log.info("fetched %s\nwell", "x.fits", extra=logs.fields(file="x.fits", bytes=5, message="not mine"))
    try:
        int("§")
    except ValueError:
        log.exception("broken")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "level": "info", "logger": "jobs.fetch.client", "message": "fetched x.fits\\nwell", "file": "x.fits",
        "bytes": 5, "command": "fetch",
    }  # fmt: skip
    assert second["level"] == "error"
    assert "invalid literal for int() with base 10: '§'" in second["exception"]


def test_lines_for_people_are_in_utc_and_steps_only_on_request(root_logger):
    stream = io.StringIO()
    logs.configure(stream=stream)
    logging.getLogger("jobs.fetch.client").info("a step")
    logging.getLogger("jobs.fetch.client").warning("look at this")
    (line,) = stream.getvalue().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z WARNING jobs\.fetch\.client: look at this", line)


def test_everything_a_command_says_on_standard_error_is_json_where_a_machine_reads(
    own_archive, stix_jobs, tmp_path, root_logger
):
    broken = tmp_path / "solo_L1_stix-sci-xray-cpd_20260314T080000-20260314T081000_V01_2603140000-00000.fits"
    broken.write_bytes(b"no FITS")
    words = ["--log-json", "-v"], ["--archive", own_archive.root]
    uid = own_archive.query("select min(uid) as uid from runs").to_pylist()[0]["uid"]
    status, out, refused = stix_jobs(*words[0], "ingest", broken, *words[1])
    assert (status, out) == (1, "1 quarantined\n")
    _, _, made = stix_jobs(*words[0], "previews", "--uid", uid, "--force", *words[1])
    (refusal,) = [line for line in map(json.loads, refused.splitlines()) if line["level"] == "error"]
    assert broken.name in refusal["message"]
    assert refusal["command"] == "ingest"
    steps = [line for line in map(json.loads, made.splitlines()) if uid in line["message"]]
    assert steps
    assert {line["level"] for line in steps} == {"info"}
    # the same for a person
    _, _, plain = stix_jobs("ingest", broken, *words[1])
    assert plain.startswith(f"{broken}: ")


# Examples and manual --------------------------------------------------------------------------------------------------


def commands_of(text):
    """Every ``stix-jobs …`` of a text, as words; what the shell fills in is a date."""
    text = re.sub(r"\$+\(date [^)]*\)|\$\{?[A-Z]\w+\}?", "2026-03-14", text)
    for line in text.splitlines():
        if line.lstrip().startswith(("#", "Description")):
            continue
        for piece in re.split(r"2?>>?|&&|\|\||[;|)]", line):
            found = re.search(r"(?<![\w-])stix-jobs +(.*)", piece)
            if found:
                yield shlex.split(found[1].rstrip("' "), comments=True)


def test_commands_in_the_examples_are_understood():
    services = [path for path in (REPOSITORY / "deploy/systemd").glob("*.service") if path.name != "stix-pages.service"]
    for path in (REPOSITORY / "deploy/crontab.example", *services):
        commands = list(commands_of(path.read_text()))
        assert commands, path
        for words in commands:
            build_parser().parse_args(words)
    cron = commands_of((REPOSITORY / "deploy/crontab.example").read_text())
    names = [next(word for word in command if not word.startswith("-")) for command in cron]
    assert names == ["ingest", "flares", "previews", "notify", "fetch", "check", "check"]


def test_commands_in_the_manual_are_understood():
    blocks = re.findall(r"```bash\n(.*?)```", MANUAL.read_text(), flags=re.DOTALL)
    found = [words for block in blocks for words in commands_of(block)]
    assert len(found) >= 8
    for words in found:
        build_parser().parse_args(words)


def test_every_timer_has_its_service_and_every_unit_is_well_formed():
    units = sorted((REPOSITORY / "deploy/systemd").iterdir())
    timers = {path.stem for path in units if path.suffix == ".timer"}
    services = {path.stem for path in units if path.suffix == ".service"}
    assert timers
    assert timers < services
    for path in units:
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str
        parser.read_string(path.read_text())
        assert parser["Unit"]["Description"]
        if path.suffix == ".timer":
            assert "OnCalendar" in parser["Timer"] or "OnUnitInactiveSec" in parser["Timer"]
            assert parser["Install"]["WantedBy"] == "timers.target"
        else:
            assert parser["Service"]["ExecStart"].removeprefix("-").startswith("/")


def test_crontab_has_five_fields_before_each_command():
    field = r"(\*|[\d,*/-]+)"
    lines = [line for line in (REPOSITORY / "deploy/crontab.example").read_text().splitlines() if line.strip()]
    jobs = [line for line in lines if not re.match(r"#|\w+=", line)]
    assert len(jobs) >= 4
    assert all(re.match(rf"({field} +){{5}}\S", line) for line in jobs)
    assert not [line for line in jobs if re.search(r"(?<!\\)%", line)]  # cron takes a bare % for a line break


def test_manual_explains_every_code_as_the_program_does():
    text = MANUAL.read_text()
    assert codes_markdown() in text
    assert all(f"`{code}`" in text for code in Code)
    assert PARTIAL in text
