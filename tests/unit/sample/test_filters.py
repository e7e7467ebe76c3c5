"""The filters against a loop that follows their definitions, and the draw against its probabilities."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backlight.core import ConfigError, DomainError
from backlight.sample import probabilities, sampler

logits = st.one_of(st.floats(-30, 30), st.just(-math.inf), st.integers(-3, 3).map(float))
rows = st.lists(logits, min_size=1, max_size=9).filter(lambda row: max(row) > -math.inf)


def by_definition(row: list[float], temperature: float, top_k: int | None, top_p: float | None) -> list[float]:
    ids = sorted(range(len(row)), key=lambda i: (-row[i], i))
    if temperature == 0:
        return [float(i == ids[0]) for i in range(len(row))]
    ids = ids[:top_k]
    weight = {i: math.exp((row[i] - row[ids[0]]) / temperature) for i in ids}
    whole = math.fsum(weight.values())
    if top_p is not None:
        kept = []
        for i in ids:
            kept.append(i)
            reached = math.fsum(weight[j] for j in kept) / whole
            assume(abs(reached - top_p) > 1e-9)  # whether a sum reaches p exactly is for rounding to say
            if reached >= top_p:
                break
        whole = math.fsum(weight[i] for i in kept)
        weight = {i: weight[i] for i in kept}
    return [weight.get(i, 0.0) / whole for i in range(len(row))]


@given(
    rows,
    st.one_of(st.just(0.0), st.just(1.0), st.floats(0.05, 20)),
    st.none() | st.integers(1, 12),
    st.none() | st.floats(0.001, 0.999),
)
def test_probabilities_are_those_of_the_definition(row, temperature, top_k, top_p):
    p = probabilities(np.array([row]), temperature=temperature, top_k=top_k, top_p=top_p)
    assert p.dtype == np.float64
    np.testing.assert_allclose(p[0], by_definition(row, temperature, top_k, top_p), rtol=1e-11, atol=1e-300)


def test_rows_are_filtered_each_on_its_own():
    z = np.log([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3]])
    np.testing.assert_allclose(probabilities(z, top_p=0.6), [[1, 0, 0], [0, 0, 1], [0, 0.625, 0.375]])
    np.testing.assert_allclose(probabilities(z, top_k=1), [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    np.testing.assert_allclose(probabilities(z), np.exp(z))


def test_top_p_is_a_share_of_what_top_k_left():
    z = np.log([[0.4, 0.3, 0.2, 0.1]])
    # 0.4 / 0.7 = 0.571 reaches 0.55; of the whole, 0.4 would not
    np.testing.assert_allclose(probabilities(z, top_k=2, top_p=0.55), [[1, 0, 0, 0]])


def test_of_equals_the_lower_id_is_kept():
    z = np.zeros((1, 4))
    assert probabilities(z, temperature=0).tolist() == [[1, 0, 0, 0]]
    assert probabilities(z, top_k=2).tolist() == [[0.5, 0.5, 0, 0]]
    assert probabilities(z, top_p=0.3).tolist() == [[0.5, 0.5, 0, 0]]


def test_what_rounding_makes_equal_keeps_its_rank():
    z = np.array([[0.0, 1e-20, -1e-20]])
    for settings in ({"temperature": 0}, {"top_k": 1}, {"top_p": 0.1}, {"temperature": 1e9, "top_k": 1}):
        assert probabilities(z, **settings).tolist() == [[0, 1, 0]]
    # 30 swallows the difference of the two behind it
    assert probabilities(np.array([[30.0, 0.0, 1e-20]]), temperature=30, top_k=2)[0, 1] == 0


def test_what_is_impossible_stays_impossible():
    z = np.array([[-np.inf, 0.0, -np.inf, 1.0]])
    for settings in ({}, {"temperature": 1e300}, {"top_k": 4}, {"top_p": 1.0}, {"top_p": 0.99}):
        p = probabilities(z, **settings)
        assert (p[0, [0, 2]] == 0).all()
        assert p.sum() == pytest.approx(1)


def test_the_smallest_temperatures_come_to_the_most_likely_without_a_warning():
    assert probabilities(np.array([[0.0, 1.0, -2.0]]), temperature=5e-324).tolist() == [[0, 1, 0]]


def test_the_logits_are_left_as_they_are():
    z = np.array([[1.0, 2.0, 3.0]])
    probabilities(z, temperature=0.5, top_k=2, top_p=0.5)
    assert z.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_p": math.nan}, "top_p"),
    ],
)
def test_settings_out_of_range_are_one_line(settings, named):
    with pytest.raises(ConfigError) as caught:
        probabilities(np.zeros((1, 2)), **settings)
    assert str(caught.value).startswith(named)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [-np.inf, np.nan, np.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_row_that_is_no_distribution_is_named(bad, temperature):
    with pytest.raises(DomainError, match="in row 1"):
        probabilities(np.array([[0.0, 0.0], [bad, bad]]), temperature=temperature)


class Chance:
    """A generator that gives the number it was told."""

    def __init__(self, u: float) -> None:
        self.u = u

    def random(self, size: int) -> np.ndarray:
        return np.full(size, self.u)


BELOW_ONE = 1 - 2.0**-53


def draw(p_BV, rng):
    """Draw from the distribution in each row."""
    return sampler.draw(sampler._running_sums(p_BV.T), np.arange(len(p_BV)), rng)


@given(
    st.lists(st.just(0.0) | st.floats(1e-12, 1), min_size=1, max_size=60).filter(any),
    st.just(0.0) | st.just(BELOW_ONE) | st.floats(0, BELOW_ONE),
)
def test_what_has_no_probability_is_never_drawn(weights, u):
    p = np.array([weights]) / sum(weights)
    (i,) = draw(p, Chance(u))
    assert p[0, i] > 0


def test_the_ends_of_chance_draw_the_first_and_the_last_that_is_possible():
    p = np.array([[0.0, 0.1, 0.0, 0.9, 0.0, 0.0]])
    assert draw(p, Chance(0.0)).tolist() == [1]
    assert draw(p, Chance(BELOW_ONE)).tolist() == [3]
    # ten tenths sum to less than 1, and the largest u must not fall off the end
    assert draw(np.full((1, 10), 0.1), Chance(BELOW_ONE)).tolist() == [9]


def test_each_row_is_drawn_with_its_own_number(rng):
    ids = draw(np.full((1000, 4), 0.25), rng)
    assert set(ids.tolist()) == {0, 1, 2, 3}


def test_200_000_draws_are_distributed_as_they_should_be(rng):
    p = np.array([0.4, 0.0, 0.3, 0.2, 0.09, 0.01])
    n = 200_000
    seen = np.bincount(draw(np.tile(p, (n, 1)), rng), minlength=6)
    assert seen[1] == 0
    possible = p > 0
    chi2 = (((seen - n * p) ** 2)[possible] / (n * p)[possible]).sum()
    assert chi2 < 18.47  # 4 degrees of freedom: exceeded by one seed in a thousand, and this seed is fixed


def test_texts_may_share_a_distribution(rng):
    p_WV = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    which = rng.integers(0, 2, 500)
    ids = sampler.draw(np.cumsum(p_WV, axis=1).T, which, rng)
    assert set(ids[which == 0].tolist()) == {0}
    assert set(ids[which == 1].tolist()) == {1, 2}


@pytest.mark.parametrize("shape", [(5, 1), (5, 4), (5, 5), (5, 900), (1, 3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_running_sums_go_down_the_columns(shape, order, rng):
    p_VW = np.array(rng.random(shape), order=order)
    before = p_VW.copy()
    np.testing.assert_array_equal(sampler._running_sums(p_VW), np.cumsum(before, axis=0))
    np.testing.assert_array_equal(p_VW, before)


def test_top_p_keeps_no_more_than_reach_it_exactly() -> None:
    p_BV = probabilities(np.zeros((1, 4)), top_p=0.5)  # four quarters, without rounding: two of them are enough
    assert p_BV.tolist() == [[0.5, 0.5, 0, 0]]
