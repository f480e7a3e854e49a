"""A computation that somebody waits for: its result, its progress, and what ends it."""

import pytest
import sample_tasks

from jobs.executors.limited import ChildLimits, run_limited
from jobs.shared.errors import LimitReached
from stixcore.errors import InvalidProduct

LIMITS = ChildLimits(seconds=60.0, memory=1 << 30, what="the sums")


def test_result_and_progress_come_back():
    steps = []
    assert run_limited(sample_tasks.steps, 3, LIMITS, lambda *step: steps.append(step)) == 3
    assert steps == [("step 0", 1, 3), ("step 1", 2, 3), ("step 2", 3, 3)]


def test_its_own_error_comes_back():
    with pytest.raises(InvalidProduct, match=r"3\.fits"):
        run_limited(sample_tasks.refuse_every_third, 3, LIMITS)


def test_what_takes_too_long_or_is_not_wanted_is_ended():
    with pytest.raises(LimitReached, match=r"the sums took longer than 0 s"):
        run_limited(sample_tasks.square, 3, ChildLimits(0.0, 1 << 30, "the sums"))
    with pytest.raises(LimitReached, match="the sums are no longer wanted"):
        run_limited(sample_tasks.square, 3, LIMITS, is_wanted=lambda: False)
