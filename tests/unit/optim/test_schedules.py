"""Learning rates at the edges of their schedules."""

from itertools import pairwise

import pytest

from backlight.core import ConfigError
from backlight.optim import Constant, StepDecay, WarmupCosine


def test_constant():
    assert {Constant(lr=0.3)(step) for step in (0, 1, 10**9)} == {0.3}


def test_step_decay_falls_at_the_step_itself():
    rate = StepDecay(lr=0.1, at=(100, 150), factor=0.5)
    assert [rate(step) for step in (0, 99, 100, 149, 150, 10**6)] == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


def test_step_decay_by_the_lectures_factor():
    rate = StepDecay(lr=0.1, at=(100_000,))
    assert [rate(99_999), rate(100_000)] == pytest.approx([0.1, 0.01])


def test_step_decay_without_steps_is_constant():
    assert StepDecay(lr=0.1, at=())(1000) == 0.1


def test_warm_up_and_cosine_at_their_edges():
    rate = WarmupCosine(lr=1.0, steps=110, warmup=10, final=0.1)
    assert rate(0) == pytest.approx(0.1)  # not 0, or the first step would be lost
    assert rate(4) == pytest.approx(0.5)
    assert rate(9) == rate(10) == pytest.approx(1.0)
    assert rate(60) == pytest.approx(0.55)  # half-way: the mean of both ends
    assert rate(110) == rate(111) == rate(10**6) == pytest.approx(0.1)


def test_warm_up_rises_and_cosine_falls():
    rate = WarmupCosine(lr=0.3, steps=100, warmup=20)
    rates = [rate(step) for step in range(101)]
    assert all(a < b for a, b in pairwise(rates[:20]))
    assert all(a > b for a, b in pairwise(rates[20:]))
    assert max(rates) == 0.3
    assert rates[-1] == pytest.approx(0.0, abs=1e-16)


def test_no_warm_up_starts_at_the_full_rate():
    rate = WarmupCosine(lr=0.3, steps=1)
    assert rate(0) == 0.3
    assert rate(1) == pytest.approx(0.0, abs=1e-16)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Constant(lr=-1.0), "lr must be a finite number, 0 or more; got -1.0"),
        (lambda: StepDecay(lr=0.1, at=(5, 3)), r"must be in ascending order; got \(5, 3\)"),
        (lambda: StepDecay(lr=0.1, at=(5,), factor=-0.1), "factor must be a finite number, 0 or more; got -0.1"),
        (lambda: WarmupCosine(lr=0.1, steps=10, warmup=10), "warmup must be below steps, 10; got 10"),
        (lambda: WarmupCosine(lr=0.1, steps=0), "steps must be a whole number, at least 1; got 0"),
        (lambda: WarmupCosine(lr=0.1, steps=10, warmup=-1), "warmup must be a finite number, 0 or more; got -1"),
        (lambda: WarmupCosine(lr=0.1, steps=10, final=-0.1), "final must be a finite number, 0 or more; got -0.1"),
        (lambda: WarmupCosine(lr=float("nan"), steps=10), "lr must be a finite number, 0 or more; got nan"),
    ],
)
def test_settings_out_of_range_are_one_line(make, rule):
    with pytest.raises(ConfigError, match=rule) as error:
        make()
    assert "\n" not in str(error.value)
