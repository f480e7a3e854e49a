"""Downloads of selections from the running server."""

import csv
import hashlib
import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile

import imageio.v2 as imageio
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from archive import ImageFilter
from jobs.imaging.reproduce import compare


def fetch(address):
    with urllib.request.urlopen(address, timeout=120) as answer:
        return answer.headers, answer.read()


def refusal(address):
    """Status and sentence of an answer that is none."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(address, timeout=60)
    with caught.value as answer:
        return answer.code, json.loads(answer.read())["error"]


def address_of(server, what, ids, more=""):
    return f"{server.url}/archive/selection/{what}?images={','.join(ids)}{more}"


@pytest.fixture(scope="module")
def chosen(imaged):
    return imaged.images(ImageFilter(simulated=True, methods=("clean", "bp")), limit=2)


def test_a_bundle_holds_everything_and_its_manifest_says_so(imaged, imaged_server, chosen, tmp_path):
    ids = [image.image_id for image in chosen]
    headers, body = fetch(address_of(imaged_server, "bundle.zip", ids, "&inputs=yes"))
    assert headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(body)) as package:
        assert package.testzip() is None
        assert {info.external_attr >> 16 for info in package.infolist()} == {0o644}  # colleagues may read them
        package.extractall(tmp_path)
    folder = tmp_path / "stix_images"
    manifest = json.loads((folder / "manifest.json").read_text())
    names = {file["name"] for file in manifest["files"]}
    assert names | {"manifest.json"} == {path.name for path in folder.iterdir()}
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file["sha256"], file["size"])
        assert "problem" not in file
    assert [image["image_id"] for image in manifest["images"]] == ids
    assert not manifest["missing"]
    cited = (folder / "CITATION.txt").read_text()
    assert "10.1051/0004-6361/201937362" in cited
    assert "SIMULATED" in cited
    # a script of the bundle runs in its folder, without a network
    (script,) = [path for path in folder.glob("*.py") if ids[0] in path.name and "stixpy" not in path.name]
    done = subprocess.run(
        [sys.executable, script.name, "--no-plot"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "downloading" not in done.stdout
    (made,) = folder.glob("reproduced_*.fits")
    assert compare(imaged.path_of(chosen[0].file), made).agrees


def test_tables(imaged_server, chosen, tmp_path):
    ids = [image.image_id for image in chosen]
    _, text = fetch(address_of(imaged_server, "table.csv", ids))
    assert [row["image_id"] for row in csv.DictReader(io.StringIO(text.decode()))] == ids
    _, body = fetch(address_of(imaged_server, "table.parquet", ids))
    table = pq.read_table(io.BytesIO(body))
    assert table["image_id"].to_pylist() == ids
    assert table["peak_hpc_x"].to_pylist() == [image.peak_hpc_x for image in chosen]
    (tmp_path / "images.parquet").write_bytes(body)
    rows = Table.read(tmp_path / "images.parquet", format="parquet")
    assert (list(rows["image_id"]), str(rows["peak_hpc_x"].unit)) == (ids, "arcsec")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # imageio leaves the pipes to ffmpeg open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_animation_script_makes_a_film(imaged, imaged_server, tmp_path):
    images = imaged.images(ImageFilter(methods=("clean", "em", "mem_ge", "bp")))[:24:4]
    ids = [image.image_id for image in images]
    _, text = fetch(address_of(imaged_server, "animation.py", ids, "&size=256&scale=log&frame_time=0.5&common_scale=0"))
    (tmp_path / "stix_animation.py").write_bytes(text)
    done = subprocess.run(
        [sys.executable, "stix_animation.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    frames = imageio.mimread(tmp_path / "animation.mp4", memtest=False)
    assert len(frames) == len({frame.tobytes() for frame in frames}) == len(ids)
    assert {frame.shape for frame in frames} == {(256, 256, 3)}
    with imageio.get_reader(tmp_path / "animation.mp4") as film:
        assert film.get_meta_data()["fps"] == 2
    with (tmp_path / "animation.csv").open() as stream:
        starts = [row["start"] for row in csv.DictReader(stream)]
    assert starts == sorted(starts)
    assert (tmp_path / "animation.gif").stat().st_size <= 8_000_000


def test_the_overlay_script_draws_on_a_given_map(imaged_server, chosen, shared_data, tmp_path):
    ids = [image.image_id for image in chosen]
    _, text = fetch(address_of(imaged_server, "overlay.py", ids, "&view=stix&assumption=planar&instrument=eui"))
    (tmp_path / "stix_overlay.py").write_bytes(text)
    aia = shared_data / "formats" / "aia" / "AIA20220402_131341_0304.fits"
    done = subprocess.run(
        [sys.executable, "stix_overlay.py", str(aia)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "assumption: on the disk" in done.stdout
    assert "is not corrected" in done.stdout  # the map is years away
    assert (tmp_path / "overlay.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("what", "ids", "more", "status"),
    [
        ("table.csv", [], "", 400),
        ("table.csv", ["../../users"], "", 400),
        ("table.csv", ["0123456789abcdef-clean"], "", 404),
        ("bundle.zip", [f"{n:016x}-clean" for n in range(501)], "", 400),
        ("animation.py", None, "&size=9999", 400),
        ("animation.py", None, "&frame_time=nan", 400),
        ("animation.py", None, "&colour=1", 400),
        ("animation.py", None, "&common_scale=perhaps", 400),
        ("overlay.py", None, "&instrument=%27%3Bexit", 400),
        ("overlay.py", None, "&map_file=/etc/passwd", 400),
        ("everything.zip", None, "", 404),
    ],
)
def test_what_is_refused(imaged_server, chosen, what, ids, more, status):
    ids = [chosen[0].image_id] if ids is None else ids
    code, sentence = refusal(address_of(imaged_server, what, ids, more))
    assert (code, bool(sentence)) == (status, True)


def test_hidden_images_do_not_exist_for_others(server, small):
    ids = [small.images[0].image_id, small.hidden.image_id]
    for what in ("bundle.zip", "table.csv", "animation.py"):
        assert refusal(address_of(server, what, ids))[0] == 404
