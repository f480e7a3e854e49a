"""What `pip install` of one extra brings is enough for what it promises; the programs say what they need."""

import re
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import archive
from archive.extras import missing_package

ROOT = Path(__file__).resolve().parents[2]
OWN = "stix-flare-archive"


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_with(extra: str) -> set[str]:
    """Distributions that one extra of this software brings, with all they need."""
    waiting, found = [(OWN, frozenset({extra} if extra else set()))], set()
    while waiting:
        name, extras = waiting.pop()
        for text in distribution(name).requires or []:
            need = Requirement(text)
            wanted = [{"extra": one} for one in extras] or [{"extra": ""}]
            if need.marker is not None and not any(need.marker.evaluate(one) for one in wanted):
                continue
            one = plain(need.name), frozenset(need.extras)
            if one not in found:
                found.add(one)
                waiting.append(one)
    return {name for name, _ in found}


def absent_with(extra: str) -> list[str]:
    """Import packages that are installed here, and would not be with one extra."""
    present = installed_with(extra) | {"pip", "setuptools", OWN}
    return sorted(
        name
        for name, owners in packages_distributions().items()
        if not any(plain(owner) in present for owner in owners) and name.isidentifier()
    )


def run(code: str, absent: list[str]) -> subprocess.CompletedProcess[str]:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({absent}))\n{code}"
    return subprocess.run([sys.executable, "-c", blocked], cwd=ROOT, capture_output=True, text=True, check=False)


TABLE = """
from archive.client import Rows
rows = Rows([{"t": "2022-11-11T11:00:00.000Z", "x": 1.5, "note": None}], "flares", {"x": "10⁴⁹ cm⁻³"})
print(rows.to_table()["x"].unit, rows.to_pandas()["t"].dt.year[0], "<table>" in rows._repr_html_())
"""


@pytest.mark.parametrize(
    ("extra", "code", "output"),
    [
        ("", "from archive.client import ArchiveClient; print(ArchiveClient('http://localhost:1'))", "ArchiveClient("),
        ("client", TABLE, "1e+49 / cm3 2022 True"),
        ("fido", "import archive.fido; from sunpy.net import Fido; print('StixArchiveClient' in str(Fido))", "True"),
    ],
)
def test_an_extra_is_enough(extra, code, output):
    absent = absent_with(extra)
    assert {"panel", "duckdb", "distributed", "tornado", "stixpy"} <= set(absent)
    done = run(code, absent)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(output)


@pytest.mark.parametrize(("module", "program"), [("jobs.cli", "stix-jobs"), ("dashboards", "python -m dashboards")])
def test_programs_without_their_extra_say_so(module, program):
    code = f"import runpy; runpy.run_module('{module}', run_name='__main__', alter_sys=True)"
    done = run(code, absent_with("client"))
    assert done.returncode == 2
    assert re.fullmatch(
        rf'{program} needs the package \w+; install it with: pip install "stix-flare-archive\[service\]"\n', done.stderr
    )


def test_what_is_missing_of_this_software_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"jobs\.gone"):
        missing_package("stix-jobs", ModuleNotFoundError("No module named 'jobs.gone'", name="jobs.gone"))


def test_tables_without_their_extra_say_so():
    code = "from archive.client import Rows\nprint(Rows()._repr_html_())\nRows().to_table()"
    done = run(code, absent_with(""))
    assert done.stdout == "None\n"
    assert done.stderr.endswith('install it with: pip install "stix-flare-archive[client]"\n')


def test_what_the_archive_exports_is_there():
    assert set(archive.__all__) == set(archive._MODULES)
    for name in archive.__all__:
        assert getattr(archive, name) is getattr(sys.modules[archive._MODULES[name]], name)
    assert set(archive.__all__) <= set(dir(archive))
    with pytest.raises(AttributeError, match="has no attribute 'gone'"):
        archive.gone  # noqa: B018
