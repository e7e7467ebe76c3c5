"""A batch without its padding: which positions stay, in which order, and the way back."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from backlight.core import ShapeError
from backlight.models._packed import PackedBatch

X = np.arange(15).reshape(3, 5)
Y = np.array([[1, -1, 1, -1, -1], [-1, -1, -1, -1, -1], [1, 1, 1, 1, -1]])
BACK = [[1, 2, 3, 0, 0], [0] * 5, [11, 12, 13, 14, 0]]


def test_sequence_after_sequence_up_to_the_last_target():
    ragged = PackedBatch.by_sequence(X, Y)
    assert ragged.of(X).tolist() == [0, 1, 2, 10, 11, 12, 13]
    assert ragged.of(Y).tolist() == [1, -1, 1, 1, 1, 1, 1]
    assert ragged.positions.tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert ragged.attended.shape == (3, 4)
    assert ragged.attended.rows.tolist() == [0, 1, 2, 8, 9, 10, 11]
    assert ragged.spread(ragged.of(X) + 1).tolist() == BACK


def test_step_after_step_the_longest_first():
    ragged = PackedBatch.by_step(X, Y)
    assert ragged.of(X).tolist() == [10, 0, 11, 1, 12, 2, 13]
    assert ragged.positions.tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert ragged.counts == [2, 2, 2, 1]
    assert ragged.spread(ragged.of(X) + 1).tolist() == BACK


def test_sequences_of_one_length_keep_their_order_step_by_step():
    ragged = PackedBatch.by_step(X, np.ones_like(X))
    assert_array_equal(ragged.of(X), X.T.reshape(-1))
    assert ragged.counts == [3] * 5


@pytest.mark.parametrize("target", [1, -1])
def test_a_batch_with_no_padding_or_nothing_else_stays_as_it_is(target):
    ragged = PackedBatch.by_sequence(X, np.full_like(X, target))
    assert ragged.attended is None
    assert ragged.of(X) is X
    assert ragged.spread(X) is X
    assert ragged.positions.tolist() == [0, 1, 2, 3, 4]


def test_nothing_to_predict_is_no_step():
    ragged = PackedBatch.by_step(X, np.full_like(X, -1))
    assert ragged.counts == []
    assert ragged.of(X).tolist() == []
    assert not ragged.spread(ragged.of(X)).any()


@pytest.mark.parametrize("order", [PackedBatch.by_sequence, PackedBatch.by_step])
def test_targets_are_as_many_as_ids(order):
    with pytest.raises(ShapeError, match=r"a target for each id; got ids \(3, 5\) and targets \(3, 4\)"):
        order(X, Y[:, :4])
