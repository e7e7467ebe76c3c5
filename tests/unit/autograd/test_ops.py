"""What must hold of the ops for all shapes: broadcasting and its adjoint, and arrangements that come back."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.testing import assert_allclose, assert_array_equal

from backlight.autograd import Tensor, cat, stack
from backlight.autograd.op import OPS, Op, sum_to
from backlight.autograd.ops import Add, Cast, Div, Index, Mul, Pow, Std, Sub, Var
from backlight.autograd.ops.indexing import scatter_rows

Array = Any

shapes = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=4)
seeds = st.integers(0, 2**32 - 1)


def gaussian(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


@st.composite
def fitting(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw two shapes that broadcast against each other; an axis may be 0 long."""
    both = arrays_of.mutually_broadcastable_shapes(num_shapes=2, min_dims=0, max_dims=4, min_side=0, max_side=3)
    return draw(both).input_shapes


@given(fitting(), seeds)
@pytest.mark.parametrize("op", [Add, Sub, Mul, Div, Pow])
def test_two_arrays_broadcast_as_numpy_has_it(op: type[Op], pair: Any, seed: int) -> None:
    a, b = np.abs(gaussian(seed, *pair[0])) + 0.5, gaussian(seed + 1, *pair[1]) + 5
    y, saved = op.forward(a, b)
    operate = {Add: np.add, Sub: np.subtract, Mul: np.multiply, Div: np.divide, Pow: np.power}[op]
    assert_allclose(y, operate(a, b), rtol=1e-14)
    da, db = op.backward(gaussian(seed + 2, *np.shape(y)), saved)
    assert (np.shape(da), np.shape(db)) == (a.shape, b.shape)


@given(fitting(), seeds)
def test_sum_to_is_the_adjoint_of_broadcasting(pair: Any, seed: int) -> None:
    """<broadcast(a), y> == <a, sum_to(y)>: what a backward of broadcasting has to be."""
    whole = np.broadcast_shapes(*pair)
    for shape in pair:
        a, y = gaussian(seed, *shape), gaussian(seed + 1, *whole)
        back = sum_to(y, shape)
        assert np.shape(back) == shape
        assert_allclose(np.vdot(np.broadcast_to(a, whole), y), np.vdot(a, back), rtol=1e-10, atol=1e-12)


@given(shapes, seeds, st.data())
def test_expand_and_its_gradient_are_adjoint(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    target = data.draw(arrays_of.broadcastable_shapes(shape, min_dims=len(shape), max_dims=4, max_side=4))
    whole = np.broadcast_shapes(shape, target)
    a, above = Tensor(gaussian(seed, *shape), requires_grad=True), gaussian(seed + 1, *whole)
    y = a.expand(whole)
    assert y.shape == whole
    y.backward(above)
    assert a.grad is not None
    assert_allclose(
        np.vdot(y.detach().numpy(), above), np.vdot(a.detach().numpy(), a.grad.detach().numpy()), rtol=1e-10, atol=1e-12
    )


@given(shapes, seeds, st.data())
def test_arrangements_come_back(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    """There and back is the identity, so the gradient of it is the gradient from above."""
    a, above = Tensor(gaussian(seed, *shape), requires_grad=True), gaussian(seed + 1, *shape)
    order = data.draw(st.permutations(range(len(shape))))
    y = a.permute(*order).permute(*np.argsort(order).tolist()) if shape else a
    y = y.reshape(-1).view(shape) if shape else y.view(1).view(())
    at = data.draw(st.integers(-len(shape) - 1, len(shape)))
    y = y.unsqueeze(at).squeeze(at)
    if len(shape) > 1:
        i, j = data.draw(st.integers(-len(shape), -1)), data.draw(st.integers(0, len(shape) - 1))
        y = y.transpose(i, j).transpose(i, j).flatten(0, 1).unflatten(0, shape[:2])
    assert_array_equal(y.detach().numpy(), a.detach().numpy())
    (y * 1).backward(above)
    assert a.grad is not None
    assert_array_equal(a.grad.detach().numpy(), above)


@given(arrays_of.array_shapes(min_dims=1, max_dims=3, max_side=6), seeds, st.data())
def test_cut_and_joined_is_as_before(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    a, above = Tensor(gaussian(seed, *shape), requires_grad=True), gaussian(seed + 1, *shape)
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    size = data.draw(st.integers(1, shape[dim] + 1))
    pieces = a.split(size, dim)
    assert [piece.shape[dim] for piece in pieces[:-1]] == [size] * (len(pieces) - 1)
    for joined in (cat(pieces, dim), stack(a.unbind(dim), dim)):
        a.grad = None
        assert_array_equal(joined.detach().numpy(), a.detach().numpy())
        joined.backward(above)
        assert_array_equal(a.grad.detach().numpy(), above)  # type: ignore[attr-defined]


@given(arrays_of.array_shapes(min_dims=1, max_dims=4, max_side=5), seeds, st.data())
def test_index_and_its_gradient_are_adjoint(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    """<a[i], y> == <a, backward(y)>, whatever the index and however often it names a place."""
    index = data.draw(
        st.one_of(
            arrays_of.basic_indices(shape, allow_newaxis=True),
            arrays_of.integer_array_indices(shape),
            arrays_of.arrays(np.bool_, shape),
        )
    )
    a = gaussian(seed, *shape)
    y, saved = Index.forward(a, index=index)
    assert_array_equal(y, a[index])
    above = gaussian(seed + 1, *np.shape(y))
    (da,) = Index.backward(above, saved)
    assert da.shape == shape
    assert_allclose(np.vdot(y, above), np.vdot(a, da), rtol=1e-10, atol=1e-12)


@given(
    st.integers(1, 300),
    arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    st.integers(1, 3),
    seeds,
)
def test_scattered_rows_are_sums(count: int, ids_shape: tuple[int, ...], width: int, seed: int) -> None:
    """Both ways of summing, the product with a one-hot matrix and the scatter, give each row its sum."""
    rows = np.random.default_rng(seed).integers(0, count, ids_shape)
    dy = gaussian(seed, *ids_shape, width)
    slow = np.zeros((count, width))
    for place in np.ndindex(ids_shape):
        slow[rows[place]] += dy[place]
    assert_allclose(scatter_rows(dy, rows, count), slow, rtol=1e-10, atol=1e-12)


@given(arrays_of.array_shapes(min_dims=1, max_dims=3, max_side=5), seeds, st.data())
def test_softmax_gradients_move_no_mass(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    """Adding one number to all logits changes no probability: each row of the gradient sums to 0."""
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    for name in ("softmax", "log_softmax"):
        z = Tensor(gaussian(seed, *shape), requires_grad=True)
        y = getattr(z, name)(dim)
        if name == "softmax":
            assert_allclose(y.detach().numpy().sum(dim), 1, rtol=1e-12)
        y.backward(gaussian(seed + 1, *shape))
        assert z.grad is not None
        assert_allclose(z.grad.detach().numpy().sum(dim), 0, atol=1e-12)


@pytest.mark.parametrize("op", [Var, Std])
def test_the_spread_of_one_number_is_not_a_number(op: type[Op]) -> None:
    y, saved = op.forward(np.array([2.0]))
    assert np.isnan(y)
    assert np.isnan(op.backward(np.asarray(1.0), saved)[0]).all()


def test_a_cast_hands_back_the_dtype_it_was_given() -> None:
    y, saved = Cast.forward(np.ones(2, np.float32), dtype=np.float64)
    (da,) = Cast.backward(np.ones_like(y), saved)
    assert (y.dtype, da.dtype) == (np.float64, np.float32)


def test_ops_are_known_by_their_names() -> None:
    assert all(op.name == name for name, op in OPS.items())
    assert OPS["add"] is Add
