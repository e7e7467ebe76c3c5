"""The recurrent layers: shapes, and what they refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from backlight import nn
from backlight.autograd import Tensor
from backlight.autograd.op import OPS
from backlight.core import ConfigError, ShapeError

LAYERS = [nn.RNN, nn.GRU, nn.LSTM]


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("shape", [(3, 4, 2), (1, 1, 2), (3, 0, 2), (0, 4, 2)], ids=str)
def test_a_state_for_each_step(cls, shape, rng):
    layer = cls(2, 5, rng=rng)
    x = Tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True)
    y = layer(x)
    assert y.shape == (*shape[:2], 5)
    assert y.array.dtype == np.float32
    y.sum().backward()
    assert x.grad.shape == shape
    assert {p.grad.shape == p.shape for p in layer.parameters()} == {True}


@pytest.mark.parametrize("cls", LAYERS)
def test_a_step_sees_what_was_and_not_what_comes(cls, rng):
    layer = cls(2, 5, rng=rng)
    x = rng.standard_normal((1, 6, 2)).astype(np.float32)
    other = x.copy()
    other[:, 3] += 1
    before, after = layer(Tensor(x)).detach().numpy(), layer(Tensor(other)).detach().numpy()
    assert_allclose(before[:, :3], after[:, :3], rtol=1e-6)
    assert (np.abs(before[:, 3:] - after[:, 3:]).max(axis=2) > 1e-4).all()


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("scale", [1e3, 1e30])
def test_saturated_gates_are_no_warning_and_no_nan(cls, scale, rng):
    layer = cls(2, 5, rng=rng)
    x = Tensor((scale * rng.standard_normal((3, 4, 2))).astype(np.float32), requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert np.isfinite(y.detach().numpy()).all()
    assert np.isfinite(x.grad.detach().numpy()).all()


@pytest.mark.parametrize("cls", LAYERS)
def test_shapes_that_do_not_fit_are_one_line(cls, rng):
    layer = cls(2, 5, rng=rng)
    name = cls.__name__
    for wrong in [(3, 4, 3), (4, 2), (1, 3, 4, 2)]:
        with pytest.raises(ShapeError, match=rf"{name}\(2, 5\) needs x \(B, T, I\) with I == 2; got x of") as error:
            layer(Tensor(np.zeros(wrong, np.float32)))
        assert "\n" not in str(error.value)
    with pytest.raises(ShapeError, match=r"needs x \(N, I\) with I == 2; got x of shape \(3, 4, 2\)"):
        layer(Tensor(np.zeros((3, 4, 2), np.float32)), counts=[3] * 4)
    for counts in ([2, 3], [3, 3]):
        with pytest.raises(ShapeError, match=r"counts must not increase .* sum to len\(x\) == 5; got") as error:
            layer(Tensor(np.zeros((5, 2), np.float32)), counts=counts)
        assert "\n" not in str(error.value)
    with pytest.raises(ShapeError, match=r"needs a row for each of 3 sequences; got \(2, 5\)"):
        layer.carry(np.zeros((3, 1, 2), np.float32), (np.zeros((2, 5), np.float32),) * 2)


@pytest.mark.parametrize(("op", "biases"), [("rnn", 1), ("gru", 2), ("lstm", 1)])
def test_an_op_without_its_layer_says_what_it_takes(op, biases):
    with pytest.raises(ShapeError, match=r"x \(B, T, I\), or x \(N, I\) with counts; got x of shape \(2,\)"):
        OPS[op].forward(np.zeros(2), np.zeros((2, 4)), np.zeros((1, 4)), *[np.zeros(4)] * biases)


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize(
    ("sizes", "rule"), [((0, 3), "input_size must be a whole number"), ((3, 0), "hidden_size must be")]
)
def test_sizes_below_1_are_refused(cls, sizes, rule, rng):
    with pytest.raises(ConfigError, match=rule):
        cls(*sizes, rng=rng)


def test_prints_its_sizes(rng):
    assert repr(nn.GRU(2, 5, rng=rng)) == "GRU(2, 5)"
