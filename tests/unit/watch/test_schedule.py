"""Which steps are recorded and kept depends on their numbers alone, and never grows beyond its bounds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from backlight.core import BoolArray
from backlight.watch.kinds import kind_of
from backlight.watch.records import DEAD_WINDOW, EvaluationPoint, SplitFacts
from backlight.watch.schedule import (
    DENSE,
    EARLY,
    EARLY_EVERY,
    MOST_LOSSES,
    MOST_RECORDS,
    RECENT_RECORDS,
    LossSeries,
    Records,
    is_kept,
    is_recorded,
    recorded_before,
)
from backlight.watch.units import DeadUnits, map_of


@dataclass(frozen=True)
class Item:
    step: int


@pytest.mark.parametrize("every", [1, 7, 20, 50, 100, 1_000])
def test_the_first_steps_are_recorded_then_many_and_then_every_nth(every: int) -> None:
    steps = range(3 * EARLY)
    recorded = [step for step in steps if is_recorded(step, every)]
    assert recorded == sorted(
        {*range(DENSE), *range(0, EARLY, min(every, EARLY_EVERY)), *steps[EARLY:][-EARLY % every :: every]}
    )
    assert [recorded_before(step, every) for step in steps] == [sum(one < step for one in recorded) for step in steps]


@pytest.mark.parametrize("every", [1, 7, 100])
def test_what_is_kept_grows_with_the_logarithm_of_the_steps(every: int) -> None:
    records: Records[Item] = Records(every)
    steps = [step for step in range(8 * MOST_RECORDS * every) if is_recorded(step, every)]
    for step in steps:
        records.add(Item(step))
    found = [item.step for item in records]
    assert found == sorted(set(found))
    early = EARLY // EARLY_EVERY if every > EARLY_EVERY else 0
    assert len(found) == len(records) <= DENSE + early + MOST_RECORDS + 3 * (MOST_RECORDS // 2) + RECENT_RECORDS
    assert found[:DENSE] == list(range(DENSE))
    assert found[-RECENT_RECORDS:] == steps[-RECENT_RECORDS:]
    assert set(found[:-RECENT_RECORDS]) == {step for step in steps[:-RECENT_RECORDS] if is_kept(step, every)}
    later = found.index(EARLY) if early else DENSE
    assert found[DENSE:later] == list(range(EARLY_EVERY, EARLY, EARLY_EVERY))[: later - DENSE]
    strides = np.diff(found[later:-RECENT_RECORDS])
    assert list(dict.fromkeys(strides[1:].tolist())) == [every, 2 * every, 4 * every, 8 * every]


@pytest.mark.parametrize("count", [0, 1, MOST_LOSSES, MOST_LOSSES + 1, 3 * MOST_LOSSES - 1])
def test_losses_are_thinned_to_means(count: int) -> None:
    series = LossSeries()
    for step in range(count):
        series.add(step, float(step))
    points = series.points()
    assert len(points) <= MOST_LOSSES
    group = max(1, math.ceil(count / MOST_LOSSES))
    assert [point.step for point in points] == list(range(0, count, group))
    if points:
        assert points[0].loss == np.mean(range(min(group, count)))
        assert points[-1].loss == np.mean(range(points[-1].step, count))


def test_losses_that_were_not_reported_are_left_out() -> None:
    series = LossSeries()
    for step in (0, 3, 4):
        series.add(step, 1.0)
    assert [point.step for point in series.points()] == [0, 3, 4]


def _added(units: DeadUnits, alive: Mapping[str, BoolArray]) -> dict[str, tuple[float, int]]:
    layers = tuple((name, len(one)) for name, one in alive.items())
    return units.add(layers, np.concatenate(list(alive.values())))()


def test_a_unit_is_dead_after_ten_batches_without_it() -> None:
    units = DeadUnits()

    def add(*alive: bool) -> tuple[float, int]:
        return _added(units, {"a": np.array(alive)})["a"]

    assert add(True, False, True) == (pytest.approx(1 / 3), 1)
    for _ in range(DEAD_WINDOW - 1):
        found = add(True, False, False)
    assert found == (pytest.approx(1 / 3), DEAD_WINDOW)  # the third has been seen alive within the window
    assert add(True, False, False) == (pytest.approx(2 / 3), DEAD_WINDOW)
    assert add(False, True, False) == (pytest.approx(1 / 3), DEAD_WINDOW)
    assert add(True, True) == (0, 1)  # another number of units: another layer


def test_dead_units_of_several_layers_go_on_from_their_state(rng: np.random.Generator) -> None:
    batches = [
        {name: rng.random(size) < 0.2 for name, size in (("a", 5), ("b", 3), ("c", 4)) if rng.random() < 0.7}
        for _ in range(40)
    ]
    straight, alone = DeadUnits(), {name: DeadUnits() for name in "abc"}
    stopped = DeadUnits()
    for at, alive in enumerate(batch for batch in batches if batch):
        expected = {name: _added(alone[name], {name: one})[name] for name, one in alive.items()}
        assert _added(straight, alive) == expected
        if at % 7 == 0:
            again = DeadUnits()
            again.load_state_dict(stopped.state_dict())
            stopped = again
        assert _added(stopped, alive) == expected


def test_a_map_shows_the_first_rows_and_units() -> None:
    x = np.array([[0.99, 0.0, -0.98], [0.5, -0.971, 0.97]], np.float32)
    drawn = map_of(kind_of(["Tanh"]), x)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(drawn.bits), np.uint8))[: drawn.rows * drawn.units]
    assert bits.reshape(drawn.rows, drawn.units).tolist() == [[1, 0, 1], [0, 1, 0]]
    hinge = map_of(kind_of(["ReLU"]), np.tile(x, (40, 200)))
    assert (hinge.rows, hinge.units) == (64, 512)


def test_a_class_counts_as_its_first_known_base() -> None:
    assert kind_of(["MyTanh", "Tanh", "Module"]).bounded
    assert kind_of(["MyNet", "Module"]).role == "other"


def test_records_beside_the_steps_compare() -> None:
    assert EvaluationPoint(step=1, dev=2.0).step == 1
    assert SplitFacts(train=3, dev=2, shared=1).shared == 1
