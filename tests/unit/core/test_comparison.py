"""The check at the end of an exercise: exact, close, and where it is furthest off."""

import math

import numpy as np
import pytest

from backlight.autograd import Tensor
from backlight.core import ShapeError, compare


def test_the_same_bits_are_exact():
    found = compare("dx", np.array([1.0, -0.0, np.inf, np.nan]), np.array([1.0, 0.0, np.inf, np.nan]))
    assert (found.exact, found.close, found.difference, found.relative) == (True, True, 0, 0)
    assert str(found) == "dx: exact"


def test_rounding_is_close_and_not_exact():
    found = compare("dx", [[1.0, 2.0], [3.0, 4.0 + 1e-9]], [[1.0, 2.0], [3.0, 4.0]])
    assert (found.exact, found.close, found.at) == (False, True, (1, 1))
    assert found.difference == pytest.approx(1e-9, rel=1e-6)
    assert found.relative == pytest.approx(1e-9 / 4, rel=1e-6)
    assert str(found) == "dx: close, largest difference 1.0e-09 at (1, 1)"


def test_what_is_wrong_is_shown_with_both_numbers():
    found = compare("dx", [1.0, 5.0, 2.5], [1.0, 2.0, 2.0])
    assert (found.close, found.difference, found.at, found.ours, found.reference) == (False, 3, (1,), 5, 2)
    assert found.scale == 5
    assert str(found) == "dx: wrong, largest difference 3.0e+00 at (1,): 5, should be 2"


@pytest.mark.parametrize(
    ("ours", "reference"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (np.inf, -np.inf), (1.0, np.inf)]
)
def test_what_is_not_finite_on_one_side_is_wrong(ours, reference):
    found = compare("loss", ours, reference)
    assert (found.close, found.relative, found.at) == (False, math.inf, ())
    beside = compare("dx", [9.0, ours], [1.0, reference])
    assert beside.at == (1,)


def test_shares_of_a_scale_and_numbers_by_themselves_count():
    assert compare("dx", 1e6 + 1, 1e6).close  # rtol
    assert not compare("dx", 1e6 + 1, 1e6, rtol=1e-7).close
    assert compare("dx", 1e-9, 0.0).close  # atol
    assert not compare("dx", 1e-9, 0.0, atol=1e-10).close
    assert compare("dx", 1e-9, 0.0).relative == 1


def test_a_shape_that_would_broadcast_is_refused():
    with pytest.raises(
        ShapeError, match=r"dmean must have the shape of its reference, \(64,\); got \(1, 64\)"
    ) as error:
        compare("dmean", np.ones((1, 64)), np.ones(64))
    assert "\n" not in str(error.value)


def test_tensors_integers_and_nothing_can_be_compared():
    assert compare("x", Tensor(np.arange(3.0)), [0, 1, 2]).exact
    assert compare("ids", np.array([0, 255], np.uint8), np.array([0, 254], np.uint8)).difference == 1
    nothing = compare("x", np.zeros((0, 3)), np.zeros((0, 3)))
    assert (nothing.exact, nothing.at, nothing.difference) == (True, None, 0)
