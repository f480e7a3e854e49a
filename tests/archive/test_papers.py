from archive.papers import PAPERS, paper_of
from stixcore.imaging.methods import BUILT_IN


def test_papers_are_read_from_their_own_text() -> None:
    assert [paper_of(paper.text) for paper in PAPERS] == list(PAPERS)


def test_every_built_in_method_declares_a_paper_that_can_be_read() -> None:
    declared = [method.paper for method in BUILT_IN if method.paper]
    assert len(declared) >= 5
    for line in declared:
        paper = paper_of(line)
        assert paper is not None, line
        assert paper.year in line


def test_other_texts_are_no_papers() -> None:
    assert paper_of("see the README") is None
