from pathlib import Path

import pytest

from archive.about import About
from archive.errors import BadSettings


def test_without_configuration_it_has_a_name(tmp_path: Path) -> None:
    assert About.of(tmp_path) == About(name="STIX flare-imaging archive")


def test_what_the_operator_says(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[about]\nname = "STIX"\npublisher = "University"\nurl = "https://stix.example.org/"\n[accounts]\n'
    )
    assert About.of(tmp_path) == About(name="STIX", publisher="University", url="https://stix.example.org")


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("[about]\nnane = 'x'", "can only have name, publisher"),
        ("[about]\nname = 3", "about.name must be a text"),
        ("[about]\nname = 'a\\nb'\nurl = 'ftp://x'", "about.url must begin with https"),
        ('[about]\nname = "a\\nb"', "about.name must be a text"),
        ("about = 3", "can only have"),
        ("[about", "cannot be read"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, section: str, sentence: str) -> None:
    (tmp_path / "config.toml").write_text(section)
    with pytest.raises(BadSettings, match=sentence):
        About.of(tmp_path)
