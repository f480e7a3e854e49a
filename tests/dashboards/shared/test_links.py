"""URLs of pages."""

from __future__ import annotations

from dashboards.shared.links import flare_address


def test_the_page_of_a_flare_has_its_id_in_the_url() -> None:
    assert flare_address("2211110123") == "flare?id=2211110123"


def test_an_id_cannot_add_other_parameters_to_the_url() -> None:
    assert flare_address('1&image="<b>') == "flare?id=1%26image%3D%22%3Cb%3E"
