"""Central differences themselves, and the check that is built on them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight import nn
from backlight.autograd import Tensor, gradcheck, ops
from backlight.autograd.gradcheck import central_difference, measured_against, some_places
from backlight.core import ConfigError, GradientError, GraphError, compare

FUNCTIONS = [
    (np.sin, np.cos, 1000),
    (np.cosh, np.sinh, 30),
    (np.arctan, lambda x: 1 / (1 + x**2), 30),
    (lambda x: x**3, lambda x: 3 * x**2, 1000),
]


@pytest.mark.parametrize(("function", "slope", "largest"), FUNCTIONS)
def test_slopes_are_right_to_nine_digits_of_numbers_large_and_small(function, slope, largest):
    for x in (-largest, -1.0, 0.0, 1e-9, 0.7, 1.0, 12.0, largest):
        array = np.array(float(x))
        found = central_difference(lambda array=array: function(array), array, np.array(1.0))
        assert_allclose(found, slope(x), rtol=2e-9, atol=1e-10)
        assert array == x


def test_slopes_are_summed_over_all_that_a_number_reaches(rng):
    x, W, dy = rng.standard_normal((4, 3)), rng.standard_normal((3, 5)), rng.standard_normal((4, 5))
    before = x.copy()
    assert_allclose(central_difference(lambda: x @ W, x, dy), dy @ W.T, rtol=1e-9, atol=1e-10)
    assert_array_equal(x, before)
    some = central_difference(lambda: x @ W, x, dy, places=np.array([1, 7]))
    assert_allclose(some, (dy @ W.T).reshape(-1)[[1, 7]], rtol=1e-9, atol=1e-10)


def test_a_view_of_the_array_may_come_back(rng):
    x, dy = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    assert_allclose(central_difference(lambda: x.T, x, dy), dy.T, rtol=1e-9)


def test_an_array_is_as_before_also_if_the_function_fails():
    x = np.ones(3)

    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        central_difference(fail, x, np.ones(3))
    assert_array_equal(x, 1)


def test_some_places_are_drawn_once_each(rng):
    assert some_places(np.zeros((2, 3)), None, rng).tolist() == some_places(np.zeros(6), 6, rng).tolist() == [*range(6)]
    drawn = some_places(np.zeros((10, 10)), 30, rng)
    assert len(set(drawn.tolist())) == 30
    assert drawn.max() < 100
    assert (np.diff(drawn) > 0).all()


def test_a_gradient_is_measured_as_one_vector():
    """What should be 0 and is rounding is not wrong beside a gradient of size 1; alone, it is measured against dy."""
    noise, large = compare("db", [1e-17], [0.0]), compare("dx", [2.0, 1.0], [2.0, 1.5])
    assert measured_against([noise, large], np.array([1.0])) == [5e-18, 0.25]
    assert measured_against([noise], np.array([-2.0])) == [1e-17 / 2e-3]
    assert measured_against([compare("dx", [np.nan, 1.0], [0.0, 1.0])], np.array([1.0])) == [np.inf]


# -- for everybody -----------------------------------------------------------------------------------------------------


def test_right_gradients_pass(rng):
    x = Tensor(rng.standard_normal((3, 4)), requires_grad=True)
    w = Tensor(rng.standard_normal((4, 2)), requires_grad=True)
    assert gradcheck(lambda x: x.tanh().softmax(-1), x)
    assert gradcheck(lambda x, w: (x @ w).exp().sum(0), (x, w))
    assert gradcheck(lambda x, w: (x @ w).exp().sum(0), [x, w.detach()], most=3, rng=rng)


def test_parameters_that_the_function_reads_elsewhere_are_checked(rng, monkeypatch):
    layer = nn.GRU(3, 4, rng=rng).to(np.float64)
    x = Tensor(rng.standard_normal((2, 5, 3)))
    assert gradcheck(lambda *_: layer(x), layer.parameters(), most=20)
    backward = ops.GRU.backward
    monkeypatch.setattr(
        ops.GRU, "backward", lambda dy, saved: (*backward(dy, saved)[:-1], 0 * dy.sum((0, 1)).repeat(3))
    )
    with pytest.raises(GradientError, match="input 3 is off by"):
        gradcheck(lambda *_: layer(x), layer.parameters(), most=20)


@pytest.mark.parametrize(
    ("op", "wrong"),
    [
        (ops.Tanh, lambda dy, y: (dy * (1 - y),)),
        (ops.Tanh, lambda dy, y: (dy * (1 - y * y) * (1 + 1e-5),)),
        (ops.Tanh, lambda dy, y: (dy * y * np.nan,)),
    ],
)
def test_a_wrong_gradient_is_refused_in_one_line_that_says_where(op, wrong, rng, monkeypatch):
    monkeypatch.setattr(op, "backward", wrong)
    x = Tensor(rng.standard_normal((3, 4)), requires_grad=True)
    with pytest.raises(GradientError, match=r"input 0 is off by .* at \(\d, \d\): .* instead of") as error:
        gradcheck(lambda x: x.tanh(), x)
    assert "\n" not in str(error.value)
    assert not gradcheck(lambda x: x.tanh(), x, raise_exception=False)


def test_a_gradient_that_hides_behind_ones_is_found(rng, monkeypatch):
    """Softmax's gradient under ones is 0: a backward that returns 0 would pass."""
    monkeypatch.setattr(ops.Softmax, "backward", lambda dy, saved: (np.zeros_like(dy),))  # noqa: ARG005
    x = Tensor(rng.standard_normal((3, 4)), requires_grad=True)
    assert not gradcheck(lambda x: x.softmax(-1), x, raise_exception=False)


def test_inputs_are_as_before(rng):
    x = Tensor(rng.standard_normal(5), requires_grad=True)
    other = Tensor(rng.standard_normal(5), requires_grad=True)
    (x * 3).sum().backward()
    numbers = x.detach().numpy().copy()
    assert gradcheck(lambda x, other: x.exp() * other, (x, other))
    assert_array_equal(x.detach().numpy(), numbers)
    assert_array_equal(x.grad.detach().numpy(), 3)
    assert other.grad is None


def test_an_input_that_nothing_depends_on_has_a_gradient_of_0(rng):
    x, unused = (Tensor(rng.standard_normal(3), requires_grad=True) for _ in range(2))
    assert gradcheck(lambda x, _: x * 2, (x, unused))


def test_what_cannot_be_checked_is_refused_in_one_line(rng):
    x = Tensor(rng.standard_normal(3), requires_grad=True)
    dropout = nn.Dropout(0.5, rng=rng)
    wide = Tensor(np.ones(100), requires_grad=True)
    for error, words, attempt in (
        (ConfigError, "input 0 of float32", lambda: gradcheck(lambda x: x.exp(), Tensor([1.0], requires_grad=True))),
        (ConfigError, "Is dropout on", lambda: gradcheck(dropout, wide)),
        (GraphError, "at least one input with requires_grad", lambda: gradcheck(lambda x: x.exp(), x.detach())),
        (GraphError, "input 0 was computed from others", lambda: gradcheck(lambda x: x.exp(), x * 2)),
    ):
        with pytest.raises(error, match=words) as refused:
            attempt()
        assert "\n" not in str(refused.value)
    assert wide.grad is None
    assert gradcheck(dropout.eval(), wide)
