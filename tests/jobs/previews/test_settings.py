"""Settings of previews in config.toml."""

import re
from pathlib import Path

import pytest

from archive.errors import BadSettings
from jobs.previews.cubes import CubeRules
from jobs.previews.settings import _KEYS, configured_copies, configured_cube
from stixcore.imaging.reconstruction import Method

MANUAL = Path(__file__).parents[3] / "docs" / "how-to" / "operation.md"


def test_cubes_are_made_unless_configured_otherwise(tmp_path):
    assert configured_cube(tmp_path) == CubeRules()
    assert configured_cube(tmp_path, wanted=False) is None
    (tmp_path / "config.toml").write_text(
        '[previews]\ncube = false\ncube_max_steps = 5\ncube_step_counts = 20000\ncube_method = "mem_ge"\n'
    )
    assert configured_cube(tmp_path) is None
    assert configured_cube(tmp_path, wanted=True) == CubeRules(max_steps=5, step_counts=20_000.0, method=Method.MEM_GE)
    (tmp_path / "config.toml").write_text('[accounts]\nallowed = ["*@example.org"]\n')
    assert configured_cube(tmp_path) == CubeRules()


def test_copies_for_errors_of_previews(tmp_path):
    assert configured_copies(tmp_path) == 0
    (tmp_path / "config.toml").write_text("[previews]\nensemble = 30\n")
    assert configured_copies(tmp_path) == 30
    assert configured_copies(tmp_path, wanted=0) == 0
    with pytest.raises(BadSettings, match=r"--ensemble: expected 0, or a whole number from 2 to 1000, found 1"):
        configured_copies(tmp_path, wanted=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[previews]\ncubes = true\n", r"config.toml: \[previews\] has 'cubes'; its keys are cube, cube_max_steps"),
        ("[previews]\ncube = 1\n", "cube: expected true or false, found 1"),
        ("[previews]\ncube_max_steps = true\n", "cube_max_steps: expected a whole number from 2 to 200, found True"),
        ("[previews]\ncube_max_steps = 201\n", "cube_max_steps: expected a whole number from 2 to 200, found 201"),
        ("[previews]\ncube_max_steps = 1\n", "cube_max_steps: expected a whole number from 2 to 200, found 1"),
        ('[previews]\ncube_method = "em"\n', r"""cube_method: expected "clean" or "mem_ge", found 'em'"""),
        ("[previews]\ncube_method = [1]\n", r"cube_method: expected .*, found \[1\]"),
        ("[previews]\nensemble = 1\n", "ensemble: expected 0, or a whole number from 2 to 1000, found 1"),
        ("previews = 3\n", "has 'previews'"),
        ("[previews", "config.toml cannot be read"),
    ],
)
def test_what_is_invalid_is_named(tmp_path, text, message):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(BadSettings, match=message):
        configured_cube(tmp_path)


def test_the_example_of_the_manual_has_all_keys_with_their_defaults(tmp_path):
    (example,) = re.findall(r"```toml\n(\[previews\].*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "config.toml").write_text(example)
    assert configured_cube(tmp_path) == CubeRules()
    assert configured_copies(tmp_path) == 0
    assert re.findall(r"^(\w+) = ", example, re.MULTILINE) == list(_KEYS)
