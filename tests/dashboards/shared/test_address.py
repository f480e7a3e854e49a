from typing import ClassVar

import param
from hypothesis import given
from hypothesis import strategies as st

from dashboards.shared.address import AddressState


class Example(AddressState):
    text = param.String("")
    number = param.Integer(1, bounds=(1, None))
    choice = param.Selector(default=25, objects=[25, 50])
    names = param.List(default=["-a"], item_type=str, bounds=(1, 3))
    flag = param.Boolean(False)
    inner = param.String("not in the address")
    address_keys: ClassVar = {"text": "q", "number": "page", "choice": "rows", "names": "sort", "flag": "flag"}


def test_defaults_stay_out_of_the_address() -> None:
    assert Example().address == ""


def test_the_address_restores_the_state() -> None:
    state = Example(text="a&b=c ü", number=7, choice=50, names=["-x", "y"], flag=True)
    other = Example()
    assert other.take_address(state.address) == []
    assert [getattr(other, name) for name in Example.address_keys] == ["a&b=c ü", 7, 50, ["-x", "y"], True]


@given(st.text(), st.integers(1, 10**9), st.sampled_from([25, 50]), st.booleans())
def test_any_state_survives_its_address(text: str, number: int, choice: int, flag: bool) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: no browser can send that
        return
    state, other = Example(text=text, number=number, choice=choice, flag=flag), Example()
    assert other.take_address(state.address) == []
    assert (other.text, other.number, other.choice, other.flag) == (text, number, choice, flag)


def test_one_bad_value_does_not_spoil_the_rest() -> None:
    state = Example()
    complaints = state.take_address("?page=abc&rows=26&flag=perhaps&q=kept")
    assert len(complaints) == 3
    assert "page=abc" in complaints[0]
    assert (state.text, state.number, state.choice, state.flag) == ("kept", 1, 25, False)


def test_numbers_out_of_bounds_and_empty_lists_are_refused() -> None:
    state = Example()
    assert len(state.take_address("?page=0&sort=a,b,c,d")) == 2
    assert (state.number, state.names) == (1, ["-a"])


def test_what_belongs_to_others_is_kept() -> None:
    state = Example()
    state.take_address("?theme=dark&q=x")
    state.text = "y"
    assert state.address == "?q=y&theme=dark"


def test_taking_an_address_tells_no_watcher_and_resets_the_rest() -> None:
    state, seen = Example(number=5), []
    state.param.watch(seen.append, ["text", "number"])
    state.take_address("?q=x")
    assert (state.number, seen) == (1, [])


def test_defaults_are_not_shared() -> None:
    first = Example()
    first.take_address("")
    first.names.append("b")
    assert Example().names == ["-a"]
