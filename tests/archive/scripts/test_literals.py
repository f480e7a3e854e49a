import ast
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.scripts.literals import idl_literal, python_literal
from archive.scripts.templates import fill, template

NAMES = [
    "it's",
    'say "no"',
    "back\\slash\\",
    "{{ image_id }}",
    "one\ntwo\r\nthree",
    "x" * 300,
    "🌞 flare 🌋",
    "café",
    "'''\"\"\"",
    "# %% not a cell",
    "'; exit, status=1 ; '",
    "\u202eright to left",
    "",
    "12",
    "$PATH & @file",
]

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(PLAIN)
def test_python_reads_back_what_was_written(value):
    assert ast.literal_eval(python_literal(value)) == value


@given(st.text())
def test_a_python_string_is_one_line_of_visible_characters(value):
    assert python_literal(value).isprintable()


@given(st.text())
def test_an_idl_string_is_one_line_of_printable_ascii(value):
    written = idl_literal(value)
    assert written.isascii()
    assert written.isprintable()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_values_without_a_literal_are_refused(value):
    with pytest.raises(TypeError):
        python_literal(value)
    with pytest.raises(TypeError):
        idl_literal(value)


@pytest.mark.needs_gdl
def test_idl_prints_what_was_written(tmp_path: Path):
    lines = "\n".join(f"print, {idl_literal(name)}" for name in NAMES)
    (tmp_path / "names.pro").write_text(f"pro names\n{lines}\nprint, {idl_literal([1.5, 1e-30, -2.0])}\nend\n")
    done = subprocess.run(["gdl", "-q", "-e", "names"], cwd=tmp_path, capture_output=True, timeout=60, check=True)
    printed, _, numbers = done.stdout.decode().rpartition("\n" + NAMES[-1] + "\n")
    assert printed == "\n".join(NAMES[:-1])
    assert [float(number) for number in numbers.split()] == [1.5, 1e-30, -2.0]


def test_placeholders_in_values_are_not_replaced():
    places = re.findall(r"\{\{ (\w+) \}\}", template("inputs.py.txt"))
    filled = fill("inputs.py.txt", dict.fromkeys(places, "0") | {"author": "'{{ method }}'"})
    assert "AUTHOR = '{{ method }}'" in filled
    assert "{{ author }}" in template("inputs.py.txt")
    with pytest.raises(KeyError):
        fill("inputs.py.txt", {})
