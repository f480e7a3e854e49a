"""Who shares computing time with nobody else."""

import pytest

from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.session_owner import SessionOwner, making_sessions_for
from dashboards.shared.visitors import session_client


@pytest.mark.parametrize(
    ("owner", "client"),
    [
        (SessionOwner(address="192.0.2.1"), "address 192.0.2.1"),
        (SessionOwner("signed", GUEST, "192.0.2.1"), "address 192.0.2.1"),
        (SessionOwner("signed", Visitor("alice"), "192.0.2.1"), "user alice"),
    ],
)
def test_a_user_is_one_client_everywhere_and_guests_of_an_address_are_one(owner: SessionOwner, client: str) -> None:
    with making_sessions_for(owner):
        assert session_client() == client


def test_a_page_without_a_session_has_no_address() -> None:
    assert session_client() == "address "
