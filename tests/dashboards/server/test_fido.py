"""sunpy's Fido against a really running server: the manual's example in a Python of its own, as a stranger runs it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sunpy.net import Fido
from sunpy.net import attrs as a

import archive.fido
from archive import Archive, ImageFilter
from archive.accounts import Accounts
from archive.client import ArchiveClient
from archive.fido import client as fido_client

ROOT = Path(__file__).resolve().parents[3]
NOW = np.datetime64("2026-11-25T12:00:00", "us")
#: Records every address that a program contacts, and writes them when it ends.
GUARD = """
import atexit, json, sys
contacted = set()
def note(event, arguments):
    if event == "socket.getaddrinfo":
        contacted.add(f"{arguments[0]}:{arguments[1]}")
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        contacted.add("{}:{}".format(*arguments[1][:2]))
sys.addaudithook(note)
atexit.register(lambda: open("contacted.json", "w").write(json.dumps(sorted(contacted))))
"""


def examples() -> tuple[str, str]:
    """Both programs of the manual: images, light curves."""
    text = (ROOT / "docs/how-to/fido.md").read_text(encoding="utf-8")
    images, curves = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return images, curves


def run(program: str, folder: Path) -> set[str]:
    """Run a program in a Python that takes warnings as errors; returns the addresses that it contacted."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "HOME": str(folder)}
    environment.pop("STIX_TOKEN", None)
    # parfive does not close its event loop
    words = [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", GUARD + program]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads((folder / "contacted.json").read_text()))


@pytest.fixture(scope="module")
def with_errors(imaged: Archive, imaged_server: Any, start: Callable[..., Any], shared_data: Path) -> dict[str, Any]:
    """Row of an image of the real flare, made by a worker with errors from an ensemble."""
    accounts = Accounts(imaged.root)
    accounts.add("fido", "fido's long password", NOW)
    stix = ArchiveClient(imaged_server.url, accounts.make_token("fido", "client", NOW))
    request = stix.submit(
        {
            "uid": "2211116471",
            "time_ranges": [["2022-11-11T11:36:40", "2022-11-11T11:37:40"]],
            "energy_ranges_kev": [[6, 10]],
            "methods": ["clean"],
            "ensemble": 2,
            "shape": 65,
        }
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (imaged.root / "worker.txt").open("wb") as log:
        worker = start(["jobs.cli", "worker", "--once", "--archive", str(imaged.root)], environment, log, log)
    (part,) = stix.wait(request["request_id"], poll_s=0.2, timeout_s=240)["parts"]
    assert worker.wait(120) == 0
    return stix.image(part["images"][0])


@pytest.fixture
def token_of_alice(small: Any) -> Iterator[str]:
    """Token of the author of the hidden image, who may have an account already, for another test."""
    accounts = Accounts(small.archive.root)
    before = [user.name for user in accounts.users()]
    if "alice" not in before:
        accounts.add("alice", "alice's long password", NOW)
    yield accounts.make_token("alice", "fido", NOW)
    if "alice" not in before:
        accounts.remove("alice")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make `archive.fido` use a server until the test ends."""
    monkeypatch.setattr(fido_client, "_address", "")
    return archive.fido.use


def test_the_example_plots_an_image_with_its_error(
    with_errors: dict[str, Any], imaged: Archive, imaged_server: Any, tmp_path: Path
) -> None:
    example, _ = examples()
    assert len(example.strip().splitlines()) <= 20
    address = "https://stix.example.org"
    assert address in example
    program = example.replace(address, imaged_server.url)
    program += "\nimport numpy; numpy.savez('shown.npz', image=image.data, error=error.data); print(file)\n"
    contacted = run(program, tmp_path)
    assert contacted == {imaged_server.url.removeprefix("http://")}
    (file,) = (tmp_path / "sunpy" / "data").glob("*.fits")
    content = file.read_bytes()
    assert hashlib.sha256(content).hexdigest() == with_errors["sha256"]
    image = imaged.image(with_errors["image_id"])
    assert content == imaged.path_of(image.file).read_bytes()
    assert file.name == Path(image.file).name
    shown = np.load(tmp_path / "shown.npz")
    with fits.open(file) as hdus:
        assert np.array_equal(shown["image"], hdus[0].data)
        assert np.array_equal(shown["error"], hdus["UNCERTAINTY"].data["error"])
    assert (tmp_path / "flare.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_for_light_curves(with_errors: Any, imaged_server: Any, imaged: Archive, tmp_path: Path) -> None:
    """On the day of simulated light curves; its first and last counts are those of the archive."""
    day = np.datetime64("2026-03-14", "us")
    _, example = examples()
    words = ('a.Time("2022-11-11", "2022-11-12")', f'a.Time("{day.astype("M8[D]")}", "2026-03-15")')
    assert words[0] in example
    program = (
        "from sunpy.net import Fido, attrs as a\nimport archive.fido\n"
        f"archive.fido.use({imaged_server.url!r})\n"
        + example.replace(*words).replace("Product.lightcurve", "Product.lightcurve, a.stix_archive.Simulated.yes")
        + "\ncurve.to_dataframe().to_csv('curve.csv')\n"
        "import pandas\nassert len(pandas.read_csv(file, index_col=0, parse_dates=True)) == len(curve.to_dataframe())\n"
    )
    assert run(program, tmp_path) == {imaged_server.url.removeprefix("http://")}
    (rows,) = imaged.light_curve_rows(day, day + np.timedelta64(1, "D"), simulated=True)
    lines = (tmp_path / "curve.csv").read_text().splitlines()
    assert lines[0] == ",counts_4_10,counts_10_15"
    assert len(lines) - 1 == rows.num_rows
    for line, number in ((lines[1], 0), (lines[-1], rows.num_rows - 1)):
        time, low, high = line.split(",")
        assert np.datetime64(time) == np.datetime64(rows["time"][number].as_py())
        assert [float(low), float(high)] == [rows[name][number].as_py() for name in ("counts_4_10", "counts_10_15")]


def test_what_fido_finds_is_what_the_index_has(imaged_server: Any, imaged: Archive, use: Callable[[str], None]) -> None:
    use(imaged_server.url)
    day = a.Time("2026-03-14", "2026-03-15")
    rows = imaged.images(ImageFilter(simulated=True), sort=("t_start",), limit=1000)
    (found,) = Fido.search(day, a.Provider("stix-archive"), a.stix_archive.Simulated(True))
    assert sorted(found["ID"]) == sorted(row.image_id for row in rows)
    assert len(rows) > 2
    (found,) = Fido.search(day, a.Provider("stix-archive"), a.stix_archive.Simulated(True), a.stix_archive.Method.clean)
    expected = [row for row in rows if row.method == "clean"]
    assert sorted(found["SHA-256"]) == sorted(row.sha256 for row in expected)
    by_id = {row.image_id: row for row in expected}
    for one in found:
        row = by_id[one["ID"]]
        assert one["Energy Band"].value.tolist() == [row.e_low, row.e_high]
        assert one["Peak HPC x"].value == row.peak_hpc_x
        assert one["Size"].to_value("byte") == pytest.approx(row.size)
        assert abs(one["Start Time"].datetime64 - row.t_start) < np.timedelta64(1, "ms")
    (none,) = Fido.search(day, a.Provider("stix-archive"), a.stix_archive.Method.clean)
    assert (len(none), none.errors) == (0, [])  # real data only
    (refused,) = Fido.search(day, a.Provider("stix-archive"), a.stix_archive.Method("magic"))
    assert str(refused.errors).startswith("method: ")


def test_hidden_images_are_not_found_even_with_a_token(
    server: Any, small: Any, use: Callable[[str], None], token_of_alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(server.url)
    monkeypatch.setenv("STIX_TOKEN", token_of_alice)
    assert small.hidden.image_id in {row["image_id"] for row in ArchiveClient(server.url).images()}
    (found,) = Fido.search(a.Time("2020-01-01", "2027-01-01"), a.Provider("stix-archive"), a.stix_archive.Method.clean)
    assert len(found) == sum(not one.hidden and not one.simulated and one.method == "clean" for one in small.images)
    assert small.hidden.image_id not in found["ID"]
    by_uid = Fido.search(a.Provider("stix-archive"), a.stix_archive.Uid(small.hidden.uid))
    assert small.hidden.image_id not in [one["ID"] for block in by_uid for one in block]
