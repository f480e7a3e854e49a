import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboards.server.serve import build_parser, panel_arguments, prepare_provider, sign_in_arguments
from dashboards.shared.navigation import LINKED_PAGES, PAGES

ROOT = Path(__file__).resolve().parents[3]


def origins(words: list[str]) -> list[str]:
    return [words[i + 1] for i, word in enumerate(words) if word == "--allow-websocket-origin"]


def test_loopback_and_5006_by_default() -> None:
    arguments = build_parser().parse_args([])
    words = panel_arguments(arguments.port, arguments.address, arguments.host)
    assert words[words.index("--address") + 1] == "127.0.0.1"
    assert words[words.index("--port") + 1] == "5006"
    assert origins(words) == ["localhost:5006", "127.0.0.1:5006"]


def test_every_page_is_served_and_nothing_else() -> None:
    served = {Path(word).name for word in panel_arguments(1, "127.0.0.1") if word.endswith(".py")}
    folder = {path.name for path in (ROOT / "dashboards").glob("*.py")}
    assert served == {f"{page}.py" for page in {**PAGES, **LINKED_PAGES}} == folder - {"__init__.py", "__main__.py"}


def test_other_names_of_the_machine() -> None:
    words = panel_arguments(80, "0.0.0.0", ["stix.example.org", "stix.example.org:8443"])
    assert set(origins(words)) >= {"stix.example.org:80", "stix.example.org:8443", "localhost:80"}
    assert "[::1]:80" in origins(panel_arguments(80, "::1"))


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_ports_that_are_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        build_parser().parse_args(["--port", port])
    assert stop.value.code == 2
    assert "is not a port" in capsys.readouterr().err or port == "-1"


def test_the_root_is_the_page_of_flares(server: Any) -> None:
    for path in ("/", "/flares"):
        with urllib.request.urlopen(server.url + path, timeout=20) as response:
            assert "<title>Flares · STIX flare images</title>" in response.read().decode()


def test_first_content_is_there_before_any_script(server: Any, small: Any) -> None:
    with urllib.request.urlopen(f"{server.url}/image_archive?tab=images&method=clean", timeout=20) as response:
        page = response.read().decode()
    opening = page[page.index('id="opening"') : page.index("<script", page.index('id="opening"'))]
    newest = next(i for i in small.newest_first if i.endswith("-clean"))
    assert f"archive/thumbnail/{newest}" in opening
    assert f"archive/fits/{newest}" in opening
    assert "SIMULATED" in opening
    assert small.hidden.image_id not in page


def test_plain_panel_serve_shows_pages_without_routes(serve: Callable[..., Any], small: Any) -> None:
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "dashboards").glob("*.py"))
    with serve(small.archive.root, "panel", "serve", *files, fresh=True) as server:
        with urllib.request.urlopen(f"{server.url}/image_archive", timeout=20) as response:
            page = response.read().decode()
        assert "data:image/png;base64," in page  # pictures come inside the page
        assert "archive/thumbnail" not in page
        assert "data:application/fits" not in page  # not 25 of them
        for way in ("bokeh-session-id=x", "bokeh-token=x"):  # nobody shares the page of those who follow their link
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{server.url}/image_archive?{way}", timeout=20)
            assert refused.value.code == 400
            refused.value.close()
        for other in ("__init__", "__main__"):  # the shell's pattern serves them too; they do nothing
            with urllib.request.urlopen(f"{server.url}/{other}", timeout=20) as response:
                assert response.status == 200


def test_the_web_process_loads_neither_sunpy_nor_matplotlib(small: Any) -> None:
    code = (
        "import sys; from dashboards.pages.image_archive.view import ImageArchivePage; "
        "from dashboards.server import routes; p = ImageArchivePage.from_session(); p.view(); "
        "p.state.opened = p.state.sets.rows[0].main.image_id; assert p.state.detail; "
        "print(sorted({'sunpy', 'matplotlib', 'stixpy'} & set(sys.modules)))"
    )
    environment = os.environ | {"STIX_ARCHIVE": str(small.archive.root), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_everything_is_on() -> None:
    words = sign_in_arguments()
    assert words[words.index("--oauth-provider") + 1] == "stix"
    assert {"--oauth-optional", "--enable-xsrf-cookies"} <= set(words)
    assert "--use-xheaders" not in words  # without a proxy visitors could send those headers
    assert "--use-xheaders" in sign_in_arguments(behind_proxy=True)


def test_a_provider_that_is_none() -> None:
    with pytest.raises(SystemExit) as stop:
        prepare_provider("sitx")
    assert "unknown sign-in provider 'sitx'; available:" in str(stop.value.code)
    assert "stix" in str(stop.value.code)


KEYS = """
import os, sys, warnings
from pathlib import Path
from dashboards.shared.keys import set_keys

def is_imported():
    return any(name.startswith(("bokeh", "panel")) for name in sys.modules)

warnings.simplefilter("ignore", DeprecationWarning)  # of a fork where libraries have threads
for folder in sys.argv[1:]:
    if os.fork() == 0:  # a process for each
        set_keys(Path(folder))
        assert not is_imported()
        from bokeh.settings import settings
        assert settings.sign_sessions()
        print(os.environ["PANEL_COOKIE_SECRET"] + settings.secret_key(), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""


def test_keys_go_by_environment_and_stay_the_same(tmp_path: Path) -> None:
    folders = [tmp_path, tmp_path, tmp_path / "nowhere", tmp_path / "nowhere"]
    words = [sys.executable, "-c", KEYS, *map(str, folders)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second, *others = done.stdout.splitlines()
    assert len(first) >= 128
    assert first == second
    assert len({first, *others}) == 3  # no archive is made by looking
    assert not (tmp_path / "nowhere").exists()
