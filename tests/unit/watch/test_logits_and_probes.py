"""What logits and their gradient say; what experiments show of functions that misbehave in one way each."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from backlight.core import NOT_A_TARGET
from backlight.watch.graph import is_pure
from backlight.watch.logits import Logits, binary_record, known_targets, logits_record, targets_of
from backlight.watch.numbers import Block, Layout, measure, pooled
from backlight.watch.probes import predicts_next, probes_of
from backlight.watch.records import Spread
from backlight.watch.step import input_record


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def spread_of(x: np.ndarray) -> Spread:
    layout = Layout(1)
    layout.want(0, x.size, histogram=True)
    block = Block(layout)
    measure(block, [x])
    return block.spread(0)


@pytest.mark.parametrize("V", [2, 3, 27])
@pytest.mark.parametrize("rising", [False, True])
@pytest.mark.parametrize("scale", [1, 40], ids=["usual", "certain and often wrong"])
def test_targets_are_read_from_the_gradient(V: int, rising: bool, scale: float, rng: np.random.Generator) -> None:
    z, y = scale * rng.standard_normal((50, V)), rng.integers(0, V, 50)
    gradient = (softmax(z) - np.eye(V)[y]) / 7 * (-1 if rising else 1)
    gradient[3], gradient[4, 0], gradient[5, 1] = 0, np.nan, np.inf
    assert np.isin(targets_of(gradient, rising=rising)[3:6], NOT_A_TARGET).all()
    known = (gradient != 0).any(-1) & np.isfinite(gradient).all(-1)  # a certain and right answer has no gradient left
    assert known.sum() > 10
    assert_array_equal(targets_of(gradient, rising=rising)[known], y[known])
    if V > 2 and scale == 1:
        assert_array_equal(targets_of(gradient, rising=None)[known], y[known])


def test_gradients_that_are_not_finite_show_no_target() -> None:
    z = np.full((8, 3), np.nan)
    for V in (1, 3):
        gradient = np.full((8, V), np.nan)
        record = binary_record if V == 1 else logits_record
        found = record(
            Logits(logits=z[:, :V], gradient=gradient), spread_of(z), **({"probabilities": False} if V == 1 else {})
        )
        assert (found.targets, found.accuracy, found.nats) == (None, None, None)


def test_a_record_of_logits(rng: np.random.Generator) -> None:
    z, y = rng.standard_normal((50, 5)), rng.integers(0, 5, 50)
    y[:10] = NOT_A_TARGET
    record = logits_record(Logits(logits=z, gradient=None, targets=y), spread_of(z))
    p = softmax(z)
    rows = np.arange(10, 50)
    assert record.classes == 5
    assert record.max_probability == pytest.approx(p.max(-1).mean())
    assert record.entropy == pytest.approx(-(p * np.log(p)).sum(-1).mean())
    assert record.nats == pytest.approx(-np.log(p[rows, y[rows]]).mean())
    assert record.accuracy == pytest.approx((z.argmax(-1) == y)[rows].mean())
    assert record.targets == tuple(np.bincount(y[rows], minlength=5))
    assert record.gradient_rms is None
    assert not record.rows_sum_to_one
    assert logits_record(Logits(logits=p, gradient=None), spread_of(p)).rows_sum_to_one
    assert logits_record(Logits(logits=p, gradient=None), spread_of(p)).accuracy is None


def test_a_record_of_binary_logits(rng: np.random.Generator) -> None:
    z, y = rng.standard_normal((50, 1)), rng.integers(0, 2, (50, 1))
    p = 1 / (1 + np.exp(-z))
    for values, probabilities, gradient in [(z, False, p - y), (p, True, (p - y) / (p * (1 - p)))]:
        record = binary_record(Logits(logits=values, gradient=gradient), spread_of(values), probabilities=probabilities)
        assert record.targets == (50 - y.sum(), y.sum())
        assert record.nats == pytest.approx(-(np.log(np.where(y == 1, p, 1 - p))).mean())
        assert record.accuracy == pytest.approx(((p > 0.5) == y).mean())
        assert record.max_probability == pytest.approx(np.maximum(p, 1 - p).mean())


@pytest.mark.parametrize("scales", [(1.0, 1.0), (1.0, 37.0), (1e-3, 1.0, 5.0)])
def test_what_is_pooled_is_what_is_measured_together(scales: tuple[float, ...], rng: np.random.Generator) -> None:
    parts = [scale * (rng.standard_normal(100 + at) + at) for at, scale in enumerate(scales)]
    together, whole = pooled([spread_of(part) for part in parts]), spread_of(np.concatenate(parts))
    for name in ("count", "mean", "std", "rms", "low", "high", "nonfinite"):
        assert getattr(together, name) == pytest.approx(getattr(whole, name), rel=1e-9)
    assert together.histogram is not None
    assert whole.histogram is not None
    if together.histogram.high == whole.histogram.high:
        assert together.histogram == whole.histogram
    assert sum(together.histogram.counts) == whole.count


def test_what_is_pooled_with_nan_is_nan() -> None:
    together = pooled([spread_of(np.array([1.0, 2.0])), spread_of(np.array([1.0, math.nan]))])
    assert together.nonfinite == 1
    assert math.isnan(together.std)
    assert math.isnan(together.low)
    assert together.histogram is None


def causal(x: np.ndarray) -> np.ndarray:
    return np.cumsum(np.eye(9)[x], axis=1)


Run = Callable[[np.ndarray], np.ndarray]


def shown(
    run: Run, x: np.ndarray, y: np.ndarray | None, *, causal: bool | None = None
) -> dict[str, tuple[float, dict]]:
    return {probe.name: (probe.changed, dict(probe.details)) for probe in probes_of(run, x, y, causal=causal)}


def test_experiments_on_sequences(rng: np.random.Generator) -> None:
    text = rng.integers(0, 9, (4, 9))
    x, y = text[:, :-1], text[:, 1:]
    assert predicts_next(x, y)
    assert not predicts_next(x, x)
    assert not predicts_next(x, y[:, ::-1])
    partly = np.where(rng.random(y.shape) < 0.5, NOT_A_TARGET, y)
    assert predicts_next(x, partly)
    fine = shown(causal, x, y)
    assert fine["future"] == (0, {})
    assert fine["repeat"][0] == 0
    assert fine["input"][0] > 0
    assert "neighbours" not in fine  # there is a target for each position: which axis is the examples' cannot be known
    late = shown(lambda ids: causal(ids) + np.eye(9)[np.roll(ids, -2, axis=1)], x, y)
    assert late["future"][0] >= 1
    assert late["future"][1]["position"] == 2  # the last two of the first four see what was changed
    assert "future" not in shown(causal, x, x)
    assert "future" in shown(causal, x, None, causal=True)
    assert "future" not in shown(causal, x, y, causal=False)


def test_experiments_on_single_examples(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((6, 3)), rng.integers(0, 2, 6)
    fine = shown(lambda a: a**2, x, y)
    assert fine["neighbours"][0] == 0
    assert fine["input"][0] > 0
    assert shown(lambda a: a - a.mean(0), x, y)["neighbours"][0] > 0.1
    assert "neighbours" not in shown(lambda a: a @ a.T, x, y)  # of each pair of examples
    classes = rng.standard_normal((3, 6))  # as many as examples
    assert shown(lambda a: (a - a.mean(0)) @ classes, x, y)["neighbours"][0] > 0.1
    assert shown(np.ones_like, x, y)["input"][0] == 0
    assert shown(lambda a: a + rng.standard_normal(a.shape), x, y)["repeat"][0] > 0.1
    assert set(shown(lambda a: a, x[:1], y[:1])) == {"repeat"}
    assert set(shown(lambda a: a, np.ones((3, 2)), y[:3])) == {"repeat"}  # nothing to change anything to


def test_an_input_s_features() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((50, 4)).astype(np.float32) * np.array([1, 100, 0, 1], np.float32)
    record = input_record("0", x)
    assert (record.ids, record.constant_share, record.shape) == (False, 0.25, (50, 4))
    std = x.std(0)
    assert record.widest == pytest.approx(std.max() / std[std > 0].min(), rel=1e-5)
    ids = input_record("1", np.array([[3, 1], [4, 1]]))
    assert (ids.ids, ids.values.low, ids.values.high, ids.values.histogram) == (True, 1, 4, None)
    assert ids.constant_share is None
    assert ids.different is record.different is None  # four numbers may be equal by chance


def test_different_rows_of_an_input_are_counted() -> None:
    x = np.random.default_rng(2).standard_normal((20, 8)).astype(np.float32)
    assert input_record("0", x).different == 20
    again = x[np.arange(20) % 3]
    assert input_record("0", again).different == 3
    assert input_record("0", again.reshape(20, 2, 4)).different == 3
    assert input_record("0", again[:, :7]).different is None
    assert input_record("0", np.eye(8, dtype=np.float32)).different is None
    assert input_record("0", again, shape=(20, 800)).different is None  # what was left out may differ


def log_softmax(z: np.ndarray) -> np.ndarray:
    return np.log(softmax(z))


@pytest.mark.parametrize("V", [2, 3, 27])
def test_targets_are_taken_from_the_gradient_of_a_cross_entropy_only(V: int, rng: np.random.Generator) -> None:
    z, y = rng.standard_normal((60, V)), rng.integers(0, V, 60)
    gradient = (softmax(z) - np.eye(V)[y]) / 60
    weights = rng.random(V) + 0.1
    soft = softmax(rng.standard_normal((60, V)))
    for of_cross_entropy in (gradient, gradient * weights[y][:, None], gradient * (rng.random(60) > 0.5)[:, None]):
        found = targets_of(of_cross_entropy, log_softmax(z))
        counted = (of_cross_entropy != 0).any(-1)
        assert_array_equal(found[counted], y[counted])
    others = {
        "soft targets": (softmax(z) - soft) / 60,
        "a temperature": (softmax(z / 4) - np.eye(V)[y]) / 4 / 60,
        "advantages": gradient * rng.standard_normal((60, 1)),
        "another term": gradient + rng.standard_normal((60, V)) * 0.01,
    }
    for name, other in others.items():
        assert (targets_of(other, log_softmax(z)) == NOT_A_TARGET).all(), name


def test_targets_of_examples_are_whole_or_unknown(rng: np.random.Generator) -> None:
    z, y = rng.standard_normal((60, 5)), rng.integers(0, 5, 60)
    gradient = (softmax(z) - np.eye(5)[y]) / 60
    found = known_targets(Logits(logits=z, gradient=gradient))
    assert found is not None
    assert_array_equal(found, y)
    gradient[3] = 0
    assert known_targets(Logits(logits=z, gradient=gradient)) is None


def test_a_state_is_told_from_chance(rng: np.random.Generator) -> None:
    x = rng.standard_normal((4, 6, 3))
    state = np.zeros(3)

    def keeps(x: np.ndarray) -> np.ndarray:
        nonlocal state
        state = 0.01 * state + x[-1].sum(0)
        return x.sum(1) + state

    changed, details = shown(keeps, x, None)["history"]
    assert details["repeat"] < 0.1 * changed
    chance = shown(lambda x: x.sum(1) + rng.standard_normal((len(x), 3)), x, None)["history"]
    assert chance[1]["repeat"] > 0.1 * chance[0]
    assert shown(lambda x: x.sum(1), x, None)["history"][0] == 0


def test_experiments_on_the_places_of_ids(rng: np.random.Generator) -> None:
    ids = np.where(np.arange(8) < rng.integers(3, 9, 16)[:, None], rng.integers(1, 7, (16, 8)), 0)
    y = rng.integers(0, 3, 16)
    table = rng.standard_normal((7, 4))

    def mean(x: np.ndarray) -> np.ndarray:
        real = (x > 0)[..., None]
        return (table[x] * real).sum(1) / real.sum(1)

    of_set, in_order = shown(mean, ids, y), shown(lambda x: np.cumsum(table[x], 1).mean(1), ids, y)
    assert of_set["order"][0] < 1e-9 < in_order["order"][0]
    assert of_set["padding"][0] < 1e-9 < in_order["padding"][0]
    assert shown(lambda x: (x == 0).sum(1)[:, None] + np.zeros((1, 4)), ids, y)["content"][0] == 0
    assert of_set["content"][0] > 0.1


def test_a_recurrence_along_the_batch_is_seen_from_either_end(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((6, 4)), rng.integers(0, 2, 6)
    assert shown(lambda x: np.cumsum(x, axis=0), x, y)["neighbours"][0] > 0.1
    assert shown(lambda x: np.cumsum(x[::-1], axis=0)[::-1], x, y)["neighbours"][0] > 0.1


def test_what_is_asked_for_is_what_is_read(rng: np.random.Generator) -> None:
    ids = rng.integers(0, 9, (8, 6))
    copies = shown(causal, ids, ids)["own"]
    assert copies[0] > 0.5
    assert copies[1]["earlier"] == 0
    later = shown(lambda x: np.cumsum(np.eye(9)[x][:, ::-1], axis=1)[:, ::-1], ids, ids)["own"]
    assert later[1]["earlier"] > 0.5


def test_rows_that_belong_together_may_depend_on_each_other(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((6, 3)), rng.integers(0, 3, 6)

    def mixes(x: np.ndarray) -> np.ndarray:
        return x - x.mean(0)

    for tied in (False, True):
        names = {one.name for one in probes_of(mixes, x, y, causal=None, tied=tied)}
        assert ("neighbours" in names) == (not tied)


@pytest.mark.parametrize("fill", [-1e9, -1000.0, 0.0])
def test_outputs_that_are_filled_with_a_number_do_not_hide_the_others(fill: float, rng: np.random.Generator) -> None:
    x = rng.standard_normal((6, 3))
    (probe,) = [
        one for one in probes_of(lambda x: np.c_[x, np.full(len(x), fill)], x, None, causal=None) if one.name == "input"
    ]
    assert probe.scale == pytest.approx(x.std())
    assert probe.changed > probe.scale


@pytest.mark.parametrize(
    ("kind", "ops", "pure"),
    [
        ("cross_entropy", ["nll_loss", "log_softmax", "addmm"], True),
        ("cross_entropy", ["cross_entropy", "matmul"], True),
        ("cross_entropy", ["nll_loss", "log_softmax", "mm", "addmm"], False),  # what a product made of the output
        ("cross_entropy", ["add", "nll_loss", "log_softmax", "addmm"], False),
        ("mse", ["mean", "pow", "sub", "addmm"], True),
        ("mse", ["mean", "pow", "sub", "exp", "addmm"], False),
    ],
)
def test_a_loss_that_is_its_kind_and_nothing_else(kind: str, ops: list[str], pure: bool) -> None:
    assert is_pure(kind, ops) == pure
