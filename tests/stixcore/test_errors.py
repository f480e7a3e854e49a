"""Messages that quote untrusted text are printable and short."""

import pickle

import pytest

from stixcore.errors import InvalidProduct, SelectionError, StixError
from stixcore.printable import LONGEST, shortened


@pytest.mark.parametrize("make", [SelectionError, StixError, lambda text: InvalidProduct(text, text, text)])
def test_a_message_has_at_most_so_many_characters(make):
    error = make(f"start {'x' * 1_000_000} end")
    assert len(str(error)) == LONGEST
    assert len(str(pickle.loads(pickle.dumps(error)))) == LONGEST


def test_begin_and_end_of_a_long_message_stay():
    text = str(SelectionError(f"model 'magic{'k' * 5_000}' is unknown; there are vth and thick2"))
    assert text.startswith("model 'magickk")
    assert text.endswith("kk' is unknown; there are vth and thick2")


@pytest.mark.parametrize("length", [0, 1, LONGEST])
def test_short_messages_stay_as_they_are(length):
    assert shortened("a" * length) == "a" * length
    assert str(SelectionError("a" * length)) == "a" * length


def test_errors_of_several_lines_are_lists_that_stay_whole():
    class Several(StixError):
        lines = True

    text = "one line\n" * 1_000
    assert str(Several(text)) == text
