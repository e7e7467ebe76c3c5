"""Clipping shortens all gradients together, keeps their direction, and moves nothing."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.autograd import Parameter
from backlight.core import ConfigError
from backlight.optim import SGD, clip_grad_norm


def pair(gradients, dtype=np.float64):
    tensors = [Parameter(np.zeros(np.shape(one), dtype)) for one in gradients]
    for tensor, gradient in zip(tensors, gradients, strict=True):
        tensor.grad = np.asarray(gradient, dtype)
    return tensors


@pytest.fixture(params=[False, True], ids=["one by one", "flat"])
def lay_out(request):
    """As given, or already part of an optimiser's flat array."""

    def prepare(tensors):
        if request.param:
            SGD(tensors, lr=0.1)
        return tensors

    return prepare


def test_norm_is_over_all_parameters_together(lay_out):
    tensors = lay_out(pair([[3.0], [[0.0, 4.0]]]))
    assert clip_grad_norm(tensors, 1.0) == pytest.approx(5.0)
    assert_allclose(tensors[0].grad.detach().numpy(), [0.6])
    assert_allclose(tensors[1].grad.detach().numpy(), [[0.0, 0.8]])


@pytest.mark.parametrize("max_norm", [5.0, 5.1, 1e9, math.inf])
def test_gradients_within_the_bound_keep_their_bits(max_norm, lay_out):
    tensors = lay_out(pair([[3.0], [[0.0, 4.0]]]))
    assert clip_grad_norm(tensors, max_norm) == 5.0
    assert_array_equal(tensors[0].grad.detach().numpy(), [3.0])
    assert_array_equal(tensors[1].grad.detach().numpy(), [[0.0, 4.0]])


@pytest.mark.parametrize("wild", [math.nan, math.inf, -math.inf])
def test_norm_that_is_not_finite_is_returned_and_nothing_scaled(wild, lay_out):
    tensors = lay_out(pair([[3.0, wild], [[4.0]]], np.float32))
    norm = clip_grad_norm(tensors, 1.0)
    assert math.isnan(norm) if math.isnan(wild) else norm == math.inf
    assert_array_equal(tensors[0].grad.detach().numpy(), np.array([3.0, wild], np.float32))
    assert_array_equal(tensors[1].grad.detach().numpy(), [[4.0]])


@pytest.mark.parametrize(("dtype", "large"), [(np.float32, 1e30), (np.float64, 1e200)])
def test_gradients_whose_squares_overflow_are_clipped_all_the_same(dtype, large, lay_out):
    tensors = lay_out(pair([[3 * large], [[0.0, 4 * large]]], dtype))
    assert clip_grad_norm(tensors, 1.0) == pytest.approx(5 * large, rel=1e-6)
    assert_allclose(tensors[0].grad.detach().numpy(), [0.6], rtol=1e-6)
    assert_allclose(tensors[1].grad.detach().numpy(), [[0.0, 0.8]], rtol=1e-6)


def test_no_gradients_at_all(lay_out):
    tensors = lay_out([Parameter([1.0, 2.0])])
    assert clip_grad_norm(tensors, 1.0) == 0
    assert tensors[0].grad is None


def test_clipping_some_leaves_the_optimiser_in_charge_of_all():
    tensors = pair([[30.0], [[0.0, 40.0]]])
    optimiser = SGD(tensors, lr=1.0)
    assert clip_grad_norm(tensors[:1], 1.0) == pytest.approx(30.0)
    optimiser.step()
    assert_allclose(tensors[0].detach().numpy(), [-1.0])
    assert_allclose(tensors[1].detach().numpy(), [[0.0, -40.0]])


def test_takes_the_flat_parameters_themselves():
    optimiser = SGD(pair([[3.0], [4.0]]), lr=0.1)
    assert clip_grad_norm(optimiser.flat, 2.5) == pytest.approx(5.0)
    assert_allclose(optimiser.flat.grad, [1.5, 2.0])


@pytest.mark.parametrize("max_norm", [0.0, -1.0, math.nan])
def test_bound_must_be_above_0(max_norm):
    with pytest.raises(ConfigError, match=f"max_norm must be above 0; got {max_norm}") as error:
        clip_grad_norm(pair([[1.0]]), max_norm)
    assert "\n" not in str(error.value)
