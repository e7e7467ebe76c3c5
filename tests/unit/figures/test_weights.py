"""W beside the counts, and the gradients of W and of the logits, show the numbers that they were given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from backlight.core import ShapeError
from backlight.figures import dlogits, palette, weight_gradient, weights


def test_both_tables_share_their_colours_and_what_never_occurred_is_paper():
    axes = Figure().subplots(1, 2)
    learned = np.log([[0.5, 0.5], [0.9, 0.1]])
    counted = np.array([[np.log(0.5), np.log(0.5)], [0.0, -np.inf]])
    weights.draw(axes, learned, counted, ".a")
    left, right = (ax.images[0] for ax in axes)
    assert np.allclose(left.get_array(), learned)
    assert right.get_array().mask.tolist() == [[False, False], [False, True]]
    assert left.norm is right.norm
    assert left.norm.vmax == 0


def test_weights_need_two_axes_and_square_tables():
    with pytest.raises(ShapeError, match="two axes; got 1"):
        weights.draw([Figure().subplots()], np.zeros((2, 2)), np.zeros((2, 2)), ".a")
    with pytest.raises(ShapeError, match="2 labels need log probabilities"):
        weights.draw(Figure().subplots(1, 2), np.zeros((2, 3)), np.zeros((2, 2)), ".a")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("draw", [weight_gradient.draw, dlogits.draw])
def test_a_gradient_of_0_is_in_the_middle_of_the_colours_and_the_signs_at_their_ends(ax, draw, sign):
    gradient = sign * np.array([[0.0, -0.4], [0.1, 0.2]])
    draw(ax, gradient, ".a")
    image = ax.images[0]
    assert np.array_equal(image.get_array(), gradient)
    assert image.norm(0) == 0.5
    assert image.norm(-0.4) == 0
    assert image.norm(0.4) == pytest.approx(1)
    assert image.norm(0.1) == pytest.approx(0.75)  # a root, so that the small ones show


def test_what_is_pulled_up_is_orange_in_both_themes(ax, dark_ax):
    for one in (ax, dark_ax):
        dlogits.draw(one, np.array([[-1.0, 1.0]]), ".a")
        (red, _, blue, _), (red_up, _, blue_up, _) = palette(one).signed([0.15, 0.85])
        assert red > blue
        assert blue_up > red_up


def test_gradients_that_are_all_0_are_drawn(ax):
    dlogits.draw(ax, np.zeros((3, 2)), ".a")
    assert ax.images[0].norm(0) == 0.5


def test_gradients_that_are_no_numbers_leave_the_paper(ax):
    dlogits.draw(ax, np.array([[np.nan, np.inf], [0.5, -0.25]]), ".a")
    assert ax.images[0].norm.vmax == 0.5


def test_dlogits_need_a_column_for_each_character(ax):
    with pytest.raises(ShapeError, match="2 labels need dlogits of shape"):
        dlogits.draw(ax, np.zeros((4, 3)), ".a")
