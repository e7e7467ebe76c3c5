"""Which reshapes stand where axes were to change places, and where an axis ends up."""

import pytest

from backlight.watch.views import moves_axes, reshaped


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((32, 12, 32), (32, 4, 12, 8)),  # heads, of a length that the heads divide
        ((32, 10, 32), (32, 4, 10, 8)),
        ((4, 8, 10, 16), (4, 10, 128)),  # heads joined again
        ((2, 32, 32), (32, 64)),  # the states of two directions
        ((4, 32, 24), (32, 96)),
        ((32, 3, 16), (512, 3)),  # logits with the classes first
        ((32, 4, 16), (512, 4)),
        ((8, 5, 6, 6), (288, 5)),
        ((5, 3, 16), (5, 16, 3)),
    ],
)
def test_an_exchange_by_a_reshape(before, after):
    assert moves_axes(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((12, 8, 32), (12, 32, 8)),  # heads become part of the batch, as in nn.MultiheadAttention
        ((12, 8, 32), (12, 64, 4)),
        ((4, 8, 24), (4, 4, 48)),  # neighbours are joined, as in WaveNet
        ((4, 8, 24), (32, 24)),
        ((4, 8, 24), (4, 8, 6, 4)),
        ((4, 10, 8, 16), (4, 10, 128)),
        ((4, 64, 7, 7), (4, 3136)),
        ((2, 8, 8, 32), (2, 2, 4, 2, 4, 32)),  # windows of a picture
        ((1, 10, 32), (10, 4, 8)),
        ((4, 3136), (4, 64, 7, 7)),
        ((6, 10), (15, 4)),
        ((0, 3), (3, 0)),
    ],
)
def test_a_reshape_that_is_meant(before, after):
    assert not moves_axes(before, after)


def test_an_axis_keeps_its_name_while_it_stays_whole():
    assert reshaped([0, 1, 2], (4, 5, 6), (20, 6)) == [None, 2]
    assert reshaped([0, 1], (4, 6), (4, 1, 6)) == [0, None, 1]
    assert reshaped([0, 1], (4, 6), (4, 2, 3)) == [0, None, None]
    assert reshaped([0, None, 1], (4, 1, 6), (4, 6)) == [0, 1]
