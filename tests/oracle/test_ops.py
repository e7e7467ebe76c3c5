"""Every op against PyTorch's own, forward and backward, and against central differences. The cases stand in
`backlight.gradcheck.op_cases`, a line each, where `backlight gradcheck` finds them too.

The gradient from above is Gaussian, never ones: with ones, a softmax or variance gradient that is zeroed or
negated passes.
"""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from backlight.autograd import OPS
from backlight.autograd.gradcheck import central_difference
from backlight.gradcheck.op_cases import CASES, OpCase
from backlight.pytorch.ops import TORCH_OPS

Array = Any

SMOOTH = [case for case in CASES if case.smooth]
FREE_OF_DTYPE = [case for case in CASES if "dtype" not in case.settings]


def _gaussian_like(out: Array, rng: np.random.Generator) -> Array:
    return np.asarray(rng.standard_normal(np.shape(out)), out.dtype)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_and_backward_match_torch(case: OpCase, rng: np.random.Generator) -> None:
    arrays = case.make(rng)
    out, saved = case.forward(arrays)
    dout = _gaussian_like(out, rng)
    gradients = case.kind.backward(dout, saved)

    twins = [torch.tensor(array, requires_grad=True) for array in arrays]
    reference = TORCH_OPS[case.op](*twins, **case.settings)
    reference.backward(torch.tensor(dout).reshape(reference.shape))

    assert np.shape(out) == tuple(reference.shape)
    assert_allclose(out, reference.detach().numpy(), rtol=1e-10, atol=1e-12)
    for gradient, array, twin in zip(gradients, arrays, twins, strict=True):
        assert np.shape(gradient) == array.shape
        assert twin.grad is not None
        assert_allclose(gradient, twin.grad.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_backward_matches_central_differences(case: OpCase, rng: np.random.Generator) -> None:
    arrays = case.make(rng)
    out, saved = case.forward(arrays)
    dout = _gaussian_like(out, rng)
    gradients = case.kind.backward(dout, saved)
    for array, gradient in zip(arrays, gradients, strict=True):
        slope = central_difference(lambda: case.forward(arrays)[0], array, dout)
        assert_allclose(gradient, slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("case", FREE_OF_DTYPE, ids=str)
def test_float32_stays_float32(case: OpCase, rng: np.random.Generator) -> None:
    with np.errstate(over="ignore"):  # 1e300 is no float32
        arrays = [array.astype(np.float32) for array in case.make(rng)]
    out, saved = case.forward(arrays)
    assert out.dtype == np.float32
    for gradient in case.kind.backward(_gaussian_like(out, rng), saved):
        assert gradient.dtype == np.float32


@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward_changes_nothing_that_it_was_given(case: OpCase, rng: np.random.Generator) -> None:
    """The gradient from above may be shared with other nodes, and a graph may be walked twice."""
    arrays = case.make(rng)
    inputs = [array.copy() for array in arrays]
    out, saved = case.forward(arrays)
    out_before = np.copy(out)
    dout = _gaussian_like(out, rng)
    dout_before = dout.copy()
    first = [np.copy(gradient) for gradient in case.kind.backward(dout, saved)]
    second = case.kind.backward(dout, saved)
    assert_array_equal(dout, dout_before)
    assert_array_equal(out, out_before)
    for array, before in zip(arrays, inputs, strict=True):
        assert_array_equal(array, before)
    for one, other in zip(first, second, strict=True):
        assert_array_equal(one, other)


def test_every_op_explains_itself() -> None:
    for op in OPS.values():
        assert "=" in op.formula
        assert "\n" not in op.formula
        assert op.__doc__
