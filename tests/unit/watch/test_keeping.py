"""Which steps are recorded and kept depends on their numbers alone, and never grows beyond its bounds."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from backlight.watch import Kept, LiveUnits, LossSeries, kind_of, wanted
from backlight.watch.keeping import DENSE, MOST_LOSSES, MOST_RECORDS, RECENT_RECORDS
from backlight.watch.records import DEAD_WINDOW, EvaluationPoint, SplitFacts
from backlight.watch.units import map_of


@dataclass(frozen=True)
class Item:
    step: int


def test_the_first_steps_are_recorded_and_then_every_so_many() -> None:
    assert [step for step in range(65) if wanted(step, 20)] == [*range(DENSE), 20, 40, 60]
    assert all(wanted(step, 1) for step in range(100))


@pytest.mark.parametrize("every", [1, 7, 100])
def test_what_is_kept_is_bounded_and_spread_over_the_run(every: int) -> None:
    kept: Kept[Item] = Kept(every)
    steps = [step for step in range(3_000 * every) if wanted(step, every)]
    for count, step in enumerate(steps, 1):
        kept.add(Item(step))
        if count % 500 == 0:
            assert len(kept) <= MOST_RECORDS + RECENT_RECORDS
    found = [item.step for item in kept]
    assert found == sorted(set(found))
    assert found[:DENSE] == list(range(DENSE))
    assert found[-RECENT_RECORDS:] == steps[-RECENT_RECORDS:]
    middle = found[DENSE + 1 : -RECENT_RECORDS]
    strides = set(np.diff(middle))
    assert len(strides) == 1
    assert len(middle) > MOST_RECORDS / 3


def test_a_run_that_was_stopped_keeps_what_one_that_was_not_does() -> None:
    straight: Kept[Item] = Kept(5, most=20)
    for step in range(0, 2_000, 5):
        straight.add(Item(step))
    first: Kept[Item] = Kept(5, most=20)
    for step in range(0, 900, 5):
        first.add(Item(step))
    second: Kept[Item] = Kept(5, [item for item in first if item.step < 850], most=20)
    for step in range(850, 2_000, 5):
        second.add(Item(step))
    assert [item.step for item in second] == [item.step for item in straight]


@pytest.mark.parametrize("count", [0, 1, MOST_LOSSES, MOST_LOSSES + 1, 3 * MOST_LOSSES - 1])
def test_losses_are_thinned_to_means(count: int) -> None:
    series = LossSeries()
    for step in range(count):
        series.add(float(step))
    points = series.points()
    assert len(points) <= MOST_LOSSES
    group = max(1, math.ceil(count / MOST_LOSSES))
    assert [point.step for point in points] == list(range(0, count, group))
    if points:
        assert points[0].loss == np.mean(range(min(group, count)))
        assert points[-1].loss == np.mean(range(points[-1].step, count))


def test_a_unit_is_dead_after_so_many_batches_without_it() -> None:
    units = LiveUnits()
    first = np.array([True, False, True])
    units.add("a", first)
    assert units.dead("a") == (pytest.approx(1 / 3), 1)
    for _ in range(DEAD_WINDOW - 1):
        units.add("a", np.array([True, False, False]))
    assert units.dead("a") == (pytest.approx(1 / 3), DEAD_WINDOW)  # the third has been seen alive within the window
    units.add("a", np.array([True, False, False]))
    assert units.dead("a") == (pytest.approx(2 / 3), DEAD_WINDOW)
    units.add("a", np.array([False, True, False]))
    assert units.dead("a") == (pytest.approx(1 / 3), DEAD_WINDOW)
    units.add("a", np.array([True, True]))  # another number of units: another layer
    assert units.dead("a") == (0, 1)


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
