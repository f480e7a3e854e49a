"""The papers to cite with an image, in one place for texts, BibTeX and metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stixcore.imaging.registry import find_method


@dataclass(frozen=True)
class Paper:
    """A publication.

    Attributes
    ----------
    what : str
        What it describes, such as "Instrument".
    authors, year, journal, volume, page : str
    doi : str
        Empty if it has none.
    """

    what: str
    authors: str
    year: str
    journal: str
    volume: str
    page: str
    doi: str = ""

    @property
    def key(self) -> str:
        """Key in BibTeX: ``Krucker2020``."""
        surname = re.match(r"[^\W\d_]+", self.authors)
        return f"{surname[0] if surname else 'Paper'}{self.year}".translate(_PLAIN)

    @property
    def text(self) -> str:
        """One line for people."""
        doi = f", doi:{self.doi}" if self.doi else ""
        return f"{self.what}: {self.authors} {self.year}, {self.journal} {self.volume}, {self.page}{doi}"


_PLAIN = str.maketrans({"ö": "o", "ä": "a", "ü": "u", "é": "e"})

#: References for every publication with images of STIX; papers about the methods are added.
PAPERS = (
    Paper("Instrument", "Krucker et al.", "2020", "A&A", "642", "A15", "10.1051/0004-6361/201937362"),
    Paper("Imaging concept", "Massa et al.", "2023", "Solar Physics", "298", "114", "10.1007/s11207-023-02205-7"),
    Paper(
        "First images and calibration",
        "Massa et al.",
        "2022",
        "Solar Physics",
        "297",
        "93",
        "10.1007/s11207-022-02029-x",
    ),
    Paper("STIX data center", "Xiao et al.", "2023", "A&A", "673", "A142", "10.1051/0004-6361/202346031"),
)
_LINE = re.compile(
    r"(?P<what>[^:]+): (?:after )?(?P<authors>.+?) (?P<year>\d{4}), "
    r"(?P<journal>.+?) (?P<volume>\d+), (?P<page>[A-Z]?\d+)"
    r"(?:, doi:(?P<doi>\S+))?"
)


def paper_of(line: str) -> Paper | None:
    """The paper in a line such as `Paper.text`, as methods declare theirs; None when it has another form."""
    found = _LINE.fullmatch(line)
    return None if found is None else Paper(**{key: value or "" for key, value in found.groupdict().items()})


def papers_to_cite(methods: Iterable[str]) -> list[str]:
    """Lines for people: the papers of every publication, then those of the methods.

    Methods of packages that are not installed are passed over.
    """
    found = (find_method(method) for method in methods)
    return [*(paper.text for paper in PAPERS), *(one.paper for one in found if one is not None and one.paper)]
