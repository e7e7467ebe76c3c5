"""Where sequences are filled up, and which of their ids the targets are."""

import numpy as np
import pytest

from backlight.core import NOT_A_TARGET
from backlight.watch.relation import Examples, target_among
from backlight.watch.sequences import most_common, padded_share, padding_of, shifts_of


def filled(rng: np.random.Generator, *, n: int = 32, length: int = 12, fill: int = 0) -> np.ndarray:
    ids = rng.integers(1, 9, (n, length))
    return np.where(np.arange(length) < rng.integers(3, length + 1, n)[:, None], ids, fill)


def test_padding_on_either_side(rng):
    x = filled(rng)
    assert np.array_equal(padding_of(x), x == 0)
    assert np.array_equal(padding_of(x[:, ::-1]), x[:, ::-1] == 0)


@pytest.mark.parametrize(
    "x",
    [
        np.random.default_rng(1).integers(0, 3, (64, 10)),  # an id like others, often at the end
        np.random.default_rng(1).integers(0, 50, (64, 10)),
        np.zeros((8, 10), np.int64),
        np.random.default_rng(1).normal(size=(64, 10)),
        np.arange(10),
    ],
    ids=["few ids", "many ids", "one id", "numbers", "one sequence"],
)
def test_what_is_no_padding(x):
    assert padding_of(x) is None


def test_targets_are_compared_at_shifts(rng):
    ids = rng.integers(0, 100, (16, 10))
    following = np.concatenate([ids[:, 1:], np.full((16, 1), NOT_A_TARGET)], 1)
    assert shifts_of(ids, ids)[0] == 1
    same, once, twice = shifts_of(ids, following)
    assert once == 1
    assert same < 0.1
    assert twice < 0.1


def test_targets_at_padding_are_counted(rng):
    ids = filled(rng)
    x, y = ids[:, :-1], ids[:, 1:]
    assert padded_share(x, y) == pytest.approx((padding_of(x)).mean())
    assert padded_share(x, np.where(y == 0, NOT_A_TARGET, y)) == 0
    assert padded_share(x, rng.integers(0, 5, y.shape)) is None  # something is asked for there
    assert padded_share(rng.integers(0, 9, x.shape), y) is None


@pytest.mark.parametrize(("width", "tried"), [(6, True), (40, False)])
def test_products_of_inputs_are_tried_if_there_are_examples_enough(rng, width: int, tried: bool):
    """What lies in them is not told by the inputs themselves, nor by the nearest of so many numbers."""
    x = rng.normal(size=(1024, width))
    examples = Examples()
    examples.add(x, (x[:, 0] * x[:, 1])[:, None])
    found = examples.relation()
    assert found.products is tried
    assert (found.beyond_chance > 10) is tried


@pytest.mark.parametrize(("width", "tried"), [(21, True), (22, False)])
def test_columns_and_products_are_at_most_a_quarter_of_the_examples(rng, width: int, tried: bool):
    examples = Examples()
    examples.add(rng.normal(size=(1024, width)), rng.normal(size=(1024, 1)))
    assert examples.relation().products is tried


def related(x: np.ndarray, y: np.ndarray) -> float:
    examples = Examples()
    for at in range(0, len(x), 32):
        examples.add(x[at : at + 32], y[at : at + 32])
    found = examples.relation()
    assert found is not None
    return found.beyond_chance


def test_targets_are_told_from_inputs(rng):
    x, ids = rng.normal(size=(600, 20)), rng.integers(0, 8, (600, 10))
    assert related(x, x[:, :5].argmax(1)) > 5
    assert related(x, x[:, :2] + 0.5 * rng.normal(size=(600, 2))) > 5
    assert related(ids, ids[:, -1] % 4) > 5


def test_targets_of_other_inputs_are_not(rng):
    x, ids = rng.normal(size=(600, 20)), rng.integers(0, 8, (600, 10))
    order = rng.permutation(600)
    assert abs(related(x, x[order, :5].argmax(1))) < 4
    assert abs(related(x, x[order, :1])) < 4
    assert abs(related(ids, ids[order, -1])) < 4


def test_a_target_among_the_inputs_is_found(rng):
    x, series = rng.normal(size=(300, 6)), rng.normal(size=(300, 10, 2))
    assert target_among(x, 3 - 20 * x[:, 4:5]) == 4
    assert target_among(x, (x[:, :1] > 0).astype(np.int64)) is None
    assert target_among(x, x[:, :1] + 0.01 * rng.normal(size=(300, 1))) is None
    assert target_among(x, np.ones((300, 1))) is None
    flat = series.reshape(300, -1)
    assert target_among(flat, series[:, :, 1]) == 1
    assert target_among(series.swapaxes(1, 2).reshape(300, -1), series[:, :, 1]) == 1  # channels first
    assert target_among(flat, np.roll(series[:, :, 1], -1, axis=1)) is None  # what comes next may be asked
    assert target_among(flat, flat) is None  # an autoencoder
    assert target_among(x[:, :1], x[:, :1]) is None
    ids = rng.integers(0, 5, (300, 6))
    assert target_among(ids, ids[:, :1]) is None


def test_the_most_frequent_id_is_not_padding():
    ids = np.array([[1, 2, 0, 0, 0], [3, 0, 0, 0, 0], [2, 2, 4, 0, 0]])
    assert most_common(ids) == (2, 0.5)
    assert most_common(np.array([[0, 0, 3], [0, 1, 0]])) == (0, pytest.approx(2 / 3))  # 0 stands elsewhere, too
    assert most_common(np.ones((2, 3))) == most_common(np.arange(3)) == (None, None)


def test_what_is_known_by_heart_shows_nothing(rng):
    x, y = rng.normal(size=(150, 4)), rng.integers(0, 3, 150)
    again = rng.integers(0, 150, 900)
    assert related(x[again], y[again]) < 4


def test_too_few_examples_show_nothing(rng):
    examples = Examples()
    examples.add(rng.normal(size=(32, 4)), rng.integers(0, 3, 32))
    assert examples.relation() is None
