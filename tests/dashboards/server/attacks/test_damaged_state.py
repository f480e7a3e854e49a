"""State files of the archive that are damaged in every way, and what a running server and the commands make of them."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tornado.web import create_signed_value

from archive import Archive
from archive.accounts import Accounts, Sessions, web_secrets
from archive.checks.findings import keep_findings
from archive.index.records import keep_records
from jobs.cli.parser import main as stix_jobs
from jobs.notices.journal import Looked, NoticeJournal
from jobs.notices.run import new_id
from jobs.queue.journal import Journal
from jobs.queue.leases import Leases

LONG = os.environ.get("STIX_ATTACK", "") == "long"
PROJECT = Path(__file__).resolve().parents[4]
NOW = np.datetime64("2026-11-28T12:00:00", "us")

#: State files below an archive, as patterns, in groups that hide nothing of one another when damaged together.
STATE: dict[str, tuple[str, ...]] = {
    "users": ("users.json",),
    "sessions": ("signed-out.json",),
    "journal": ("requests.sqlite",),
    "notices": ("notices.sqlite",),
    "records": (
        "renderings/*/rendering.json", "findings.json", "index/read/previews.json", "index/read/flares.json",
        "cubes/*/*/*/*/cube.json", "quarantine/*/*.reason.json",
        "images/**/run.json", "spectra/**/spectrum.json", "regions/**/regions.json",
        "index/images/moves.json", "incoming/*.part.json",
    ),
    "configuration": ("config.toml", "web-secrets.json"),
    "schema": ("index/schema.json",),
    "pointer": ("index/read/current.json",),
    "read model": ("index/read/index-*.duckdb",),
    "tables": ("index/images/*.parquet", "index/runs/*.parquet", "index/spectra/*.parquet",
               "index/region_spectra/*.parquet"),
    "light curves": ("index/lightcurves/*.parquet", "index/lightcurve_minutes/*.parquet", "goes/*.parquet"),
}  # fmt: skip
#: What else lies in an archive and is no state: data with hashes in the index, locks, unfinished files, SQLite's own.
DATA = (
    "fits/**", "images/**/*.fits", "images/**/*.png", "spectra/**/*.fits", "regions/**/*.fits", "regions/**/*.png",
    "renderings/*/*.png",
    "quarantine/*/*.fits", "incoming/*.fits*",
    "cubes/**", "overlays/**", "uploads/**", "locks/*.lock", "requests.sqlite-*",
)  # fmt: skip
#: File names in the code that are no files of an archive, and those of its calibration folder.
NOT_STATE = {
    "cal_files.json", "FILE.json",
    "GridCorrection.csv", "PhaseCorrFactors.csv", "elut_index.csv", "stx_det_adc.csv", "stx_det_pixels.csv",
    "science_echan_index.csv", "stx_subc_params.csv", "subcollimator_transmission.csv", "std_gamma_2.csv",
    "transmission_20251110.csv", "transmission_20220621.csv", "nist_w_z74.csv", "xsec_cdte_w_elam.csv",
    "vnd.apache.parquet", "table.csv", "table.parquet", "stix_images.csv", "stix_tracks.csv", "measures.csv",
    ".datacite.json", ".recipe.json", "datacite.json", "recipe.json", "ro-crate-metadata.json", "archive.json",
}  # fmt: skip


PAGES = ("flares", "image_archive", "operations", "science_data", "lightcurves", "flare")


def another_json(content: bytes) -> bytes:
    """The same keys with values of another kind; a list where there are none."""
    try:
        document = json.loads(content)
    except ValueError:
        return b'["another shape"]'
    keys = list(document) if isinstance(document, dict) else []
    return json.dumps({key: [{"another": 7}] for key in keys} or ["another shape"]).encode()


def another_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 1")
        db.execute("CREATE TABLE requests (request_id TEXT)")


def another_shape(path: Path) -> None:
    """What is a good file of its kind, and holds something else."""
    if path.suffix == ".sqlite":
        another_database(path)
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({"another": [1, 2, 3]}), path)
    elif path.suffix == ".toml":
        path.write_text("accounts = 7\n")
    else:
        path.write_bytes(another_json(path.read_bytes()))


def from_the_future(path: Path) -> None:
    """As newer software might have written it."""
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 99")
    elif path.name == "schema.json":
        path.write_text('{"applied": ["2031-01 unknown"]}')
    else:
        path.write_text('{"version": 99, "format": 99, "users": [], "cookie": 1}')


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(random.Random(12).randbytes(3000)),
    "header": lambda path: path.write_bytes(b"\xff" * 40 + path.read_bytes()[40:]),
    "nested": lambda path: path.write_bytes(b"[" * 100_000),
    "another shape": another_shape,
    "from the future": from_the_future,
    "folder": a_folder,
    "unreadable": lambda path: path.chmod(0o000),
}
#: The short form: what each group is damaged with.
SHORT: dict[str, tuple[str, ...]] = {
    "users": ("another shape",),
    "sessions": ("another shape", "unreadable"),
    "journal": ("garbage", "from the future"),
    "notices": ("empty", "another shape"),
    "records": ("another shape",),
    "configuration": ("garbage",),
    "schema": ("truncated",),
    "pointer": ("folder",),
    "read model": ("header",),
    "tables": ("another shape",),
    "light curves": ("garbage",),
}
ALL = [(group, damage) for group in STATE for damage in (DAMAGES if LONG else SHORT[group])]


def files_of(root: Path, group: str) -> list[Path]:
    return [path for pattern in STATE[group] for path in root.glob(pattern) if path.is_file()]


@contextmanager
def damaged(root: Path, group: str, damage: str) -> Iterator[None]:
    """Damage every file of a group; afterwards everything is as it was."""
    saved = {path: (path.read_bytes(), path.stat().st_mode) for path in files_of(root, group)}
    assert saved, group
    companions = list(root.glob("requests.sqlite-*")) if group == "journal" else []
    for path in companions:
        path.unlink()
    try:
        for path in saved:
            DAMAGES[damage](path)
        yield
    finally:
        for path in [*saved, *(root.glob("requests.sqlite-*") if group == "journal" else ())]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for path, (content, mode) in saved.items():
            path.write_bytes(content)
            path.chmod(mode)


class Site:
    """A server on an archive that has every state file, and addresses of everything that reads one."""

    def __init__(self, server: Any, root: Path, new_client: type[Any], image: str, spectrum: str, regions: str) -> None:
        self.server, self.root, self._new_client = server, root, new_client
        self._key = web_secrets(root).cookie
        self._users = itertools.cycle([Accounts(root).user(name) for name in ("alice", "bob", "olga")])
        # a page takes as long as all the rest: in the short form only every other time
        self._pages = itertools.cycle([PAGES] if LONG else [some for page in PAGES for some in ((page,), ())])
        self._numbers = itertools.count()
        day = "start=1668038400&span=3600"
        self.routes = [
            f"archive/fits/{image}",
            f"archive/script/{image}.py",
            f"archive/selection/table.csv?images={image}",
            f"archive/lightcurve.csv?{day}",
            "archive/science/none.fits",
            "archive/rendering/1/animation.png",
            *(f"api/v1/{what}" for what in (f"images/{image}", f"spectra/{spectrum}", "flares", "requests/1")),
            f"archive/spectrum/{spectrum}/spectrum.json",
            f"archive/regions/{regions}/regions.json",
            f"api/v1/region-spectra/{regions}",
            "api/v1/lightcurve?start=2022-11-10T00:00:00&end=2022-11-10T01:00:00",
            *("account", "logout", "liveness"),
        ]
        if LONG:  # others that take the same ways through the code
            self.routes += [
                *(f"archive/{kind}/{image}" for kind in ("png", "thumbnail")),
                *(f"archive/selection/{what}?images={image}" for what in ("table.parquet", "bundle.zip")),
                f"archive/script/{image}.ipynb",
                f"archive/lightcurve.csv?{day}&bins=minutes",
                *(
                    f"api/v1/{what}"
                    for what in (
                        "images",
                        "spectra",
                        "region-spectra",
                        "science-files",
                        "openapi.json",
                        "requests",
                        "requests/2",
                    )
                ),
                "login",
            ]

    def session(self) -> Any:
        """A browser in which the next of the users has signed in, without the work of it."""
        client, user = self._new_client(self.server.url), next(self._users)
        ticket = f"{user.name}:{user.generation}:{next(self._numbers):016x}"
        client.get("/login")
        client.cookies["user"] = create_signed_value(self._key, "user", ticket).decode()
        return client

    def answers(self) -> Iterator[tuple[str, Any]]:
        """Everything, asked once, as a guest and as a user; of the pages the next one, or all of them."""
        client = self.session()
        form = {"_xsrf": client.cookies["_xsrf"]}
        for route in self.routes:
            yield route, client.get(f"/{route}")
        for page in next(self._pages):
            yield page, client.get(f"/{page}")
        for verb in ("cancel", "retry"):
            path = f"api/v1/requests/2/{verb}"
            yield (
                path,
                client.send("POST", f"/{path}", b"{}", X_XSRFToken=form["_xsrf"], Content_Type="application/json"),
            )
        yield "POST account", client.post("/account", {"action": "token", "label": "one", **form})
        yield "POST login", client.post("/login", {"username": "alice", "password": "wrong", **form})
        yield "POST logout", client.post("/logout", form)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    small: Any,
    curves: Any,
    users: dict[str, str],
    serve: Callable[..., Any],
    new_client: type[Any],
) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("state") / "archive"
    shutil.copytree(small.archive.root, root)
    for table in ("lightcurves", "lightcurve_minutes"):
        shutil.copytree(curves.archive.index / table, root / "index" / table, dirs_exist_ok=True)
    web_secrets(root)
    Sessions(root).end("a cookie", NOW, NOW + np.timedelta64(1000, "D"))
    (root / "config.toml").write_text('[accounts]\nallowed = ["*@example.org"]\n')
    archive = Archive(root)
    images = archive.images(limit=4)
    keep_records(
        root, [archive.run(images[0].recipe_id)], [one for one in images if one.recipe_id == images[0].recipe_id]
    )
    keep_findings(root, (), NOW)
    NoticeJournal(root).record(Looked({}, ()), NOW, new_id)
    archive.close()
    (root / "index" / "read" / "previews.json").write_text('{"by": "0.1", "months": {"runs/2022-11": [1, 2]}}')
    (root / "index" / "images" / "moves.json").write_text("{}")
    (root / "incoming" / "a.fits.part.json").write_text('{"url": "https://example.org/a.fits", "validator": "1"}')
    folder = root / "quarantine" / "2026-11-28"
    folder.mkdir(parents=True)
    (folder / "a.fits.reason.json").write_text('{"file": "a.fits", "sha256": null, "reason": "no content"}')
    journal, leases = Journal(root), Leases(root)
    body = json.dumps({"kind": "animation", "images": [images[0].image_id]})
    journal.submit("alice", body, NOW, uid="1", task_count=1)
    assert leases.claim("worker", NOW, 60.0) is not None
    with journal.writing() as db:
        db.execute("INSERT INTO parts VALUES (1, 0, '0123456789abcdef', '')")
        db.execute("UPDATE requests SET state = 'done', finished_at = submitted_at, owner = NULL")
    made = root / "renderings" / "0123456789abcdef"
    made.mkdir(parents=True)
    (made / "animation.png").write_bytes(b"picture")
    (made / "rendering.json").write_text('{"files": ["animation.png"], "notes": []}')
    for user in users:
        journal.submit(user, '{"hidden":false}', NOW, uid="2", task_count=1)
    with serve(root, "tests.dashboards.server.attacks.server_without_rights") as server:
        yield Site(
            server, root, new_client, images[0].image_id, small.spectra[0].spectrum_id, small.regions[0].region_id
        )


@pytest.mark.slow_attack
def test_every_state_file_is_damaged_here(site: Site) -> None:
    """Every file of an archive, and every file name in the code, is known as state or as data."""
    known = [path for patterns in STATE.values() for pattern in patterns for path in site.root.glob(pattern)]
    known += [path for pattern in DATA for path in site.root.glob(pattern)]
    assert not {path for path in site.root.rglob("*") if path.is_file()} - set(known)
    name = re.compile(r"[\w.-]+\.(?:json|sqlite|toml|duckdb|parquet|csv)(?=[\"'])")
    found = {
        one.group()
        for package in ("stixcore", "archive", "jobs", "dashboards")
        for path in (PROJECT / package).rglob("*.py")
        if "scripts" not in path.parts
        for one in name.finditer(path.read_text())
    }
    patterns = [Path(pattern).name for patterns in STATE.values() for pattern in patterns]
    unknown = {
        one for one in found - NOT_STATE
        if not any(Path(one).match(pattern) or Path(f"a{one}").match(pattern) for pattern in patterns)
    }  # fmt: skip
    assert not unknown


@pytest.mark.slow_attack
@pytest.mark.needs_setpriv
def test_a_damaged_state_file_is_a_sentence_at_every_address(site: Site) -> None:
    """Whatever state file is damaged in whatever way, every address answers it with a sentence, or does without."""
    for group, damage in ALL:
        with damaged(site.root, group, damage):
            for route, answer in site.answers():
                about = f"{group} {damage}: {route}: {answer.status}: {answer.body[:300]!r}"
                assert answer.status < 500 or answer.status == 503, about
                assert str(site.root.parent).encode() not in answer.body, about
                if answer.status == 503 and answer.body[:1] == b"{":
                    assert len(answer.json["error"].split()) > 3, about
    assert dict(site.answers())["archive/rendering/1/animation.png"].status in {200, 404}  # and all is well again
    assert "Traceback" not in site.server.log_text()


@pytest.mark.slow_attack
def test_a_damaged_state_file_is_a_sentence_of_every_command(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever state file is damaged, doctor, check, query and user list end with a sentence and no traceback."""
    for group, damage in [one for one in ALL if one[1] != "unreadable"]:
        with damaged(site.root, group, damage):
            for command in COMMANDS:
                code = stix_jobs([*command, "--archive", str(site.root)])
                said = capsys.readouterr()
                assert code in {0, 1, 2}, (group, damage, command, said.err)
                assert "Traceback" not in said.err + said.out, (group, damage, command)
                assert code == 0 or said.err + said.out, (group, damage, command)


COMMANDS = (
    ["doctor", "--pages", ""],
    ["check", "--quick"],
    ["query", "select count(*) as n from images"],
    ["user", "list"],
    ["notify"],
)
