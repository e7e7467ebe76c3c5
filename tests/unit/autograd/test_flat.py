"""Parameters in one array: the tensors stay themselves, and only their numbers move."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from backlight.autograd import Parameter, Tensor
from backlight.autograd.flat import FlatParameters
from backlight.core import ConfigError
from backlight.nn import Linear
from backlight.optim import SGD


def three(rng, dtype=np.float32):
    return [Parameter(rng.standard_normal(shape).astype(dtype)) for shape in [(2, 3), (4,), ()]]


def assert_holds(flat, tensors):
    assert_array_equal(flat.data, np.concatenate([t.array.reshape(-1) for t in tensors]))
    assert all(np.shares_memory(flat.data, t.array) for t in tensors)


def test_numbers_move_and_stay_the_same(rng):
    tensors = three(rng)
    before = [t.array.copy() for t in tensors]
    flat = FlatParameters.of(tensors)
    assert flat.data.shape == flat.grad.shape == (11,)
    assert flat.data.dtype == np.float32
    for tensor, array in zip(tensors, before, strict=True):
        assert_array_equal(tensor.array, array)
    assert_holds(flat, tensors)


def test_changing_one_side_changes_the_other(rng):
    tensors = three(rng)
    flat = FlatParameters.of(tensors)
    flat.data += 1
    assert_holds(flat, tensors)
    tensors[0].data -= 2.0
    tensors[1].data = np.arange(4.0)
    tensors[2].data = Tensor(7.0)
    assert_holds(flat, tensors)
    assert_array_equal(flat.data[6:], [0, 1, 2, 3, 7])


def test_gradients_of_before_move_along(rng):
    tensors = three(rng)
    (tensors[0] * 2).sum().backward()
    flat = FlatParameters.of(tensors)
    assert_array_equal(flat.gather(), [2] * 6 + [0] * 5)
    (tensors[0] * 3).sum().backward()
    assert_array_equal(flat.gather(), [5] * 6 + [0] * 5)


def test_gather_gives_zeros_for_what_the_last_pass_did_not_reach(rng):
    tensors = three(rng)
    flat = FlatParameters.of(tensors)
    sum(t.sum() for t in tensors).backward()
    assert_array_equal(flat.gather(), np.ones(11))
    flat.zero_grad()
    assert all(t.grad is None for t in tensors)
    (tensors[1] * 2).sum().backward()
    assert_array_equal(flat.gather(), [0] * 6 + [2] * 4 + [0])
    assert tensors[0].grad is None


def test_gradients_are_views_and_add_up(rng):
    tensors = three(rng)
    flat = FlatParameters.of(tensors)
    for _ in range(3):
        sum((t * t).sum() for t in tensors).backward()
    assert np.shares_memory(tensors[0].grad.array, flat.grad)
    np.testing.assert_allclose(flat.gather(), 6 * flat.data, rtol=1e-6)


def test_assigned_gradient_lands_in_the_flat_one(rng):
    tensors = three(rng)
    flat = FlatParameters.of(tensors)
    tensors[1].grad = np.arange(4.0)
    assert_array_equal(flat.gather(), [0] * 6 + [0, 1, 2, 3] + [0])


def test_of_is_idempotent(rng):
    tensors = three(rng)
    flat = FlatParameters.of(tensors)
    again = FlatParameters.of(iter(tensors))
    assert again.data is flat.data
    assert again.grad is flat.grad
    assert FlatParameters.of(flat) is flat


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_share_the_dtype(dtype, rng):
    flat = FlatParameters.of(three(rng, dtype))
    assert flat.data.dtype == flat.grad.dtype == dtype


def test_single_parameter(rng):
    tensors = [Parameter(rng.standard_normal((2, 2)))]
    flat = FlatParameters.of(tensors)
    assert FlatParameters.of(tensors).data is flat.data
    assert_holds(flat, tensors)


def test_another_order_is_another_array(rng):
    tensors = three(rng)
    flat = FlatParameters.of(tensors)
    turned = FlatParameters.of(tensors[::-1])
    assert turned.data is not flat.data
    assert_holds(turned, tensors[::-1])


def test_after_another_dtype_the_parameters_are_laid_out_anew(rng):
    layer = Linear(3, 2, rng=rng)
    before = layer.flat()
    layer.to(np.float64)
    after = layer.flat()
    assert after.data is not before.data
    assert after.data.dtype == after.grad.dtype == np.float64
    assert_holds(after, layer.parameters())
    layer(Tensor(np.ones((1, 3)))).sum().backward()
    assert_array_equal(after.gather(), np.ones(8))


def moved_by_dtype(layer):
    layer.to(np.float64)


def moved_to_another(layer):
    FlatParameters.of([layer.bias])


@pytest.mark.parametrize("move", [moved_by_dtype, moved_to_another])
def test_parameters_that_left_are_reported_instead_of_no_longer_learnt(move, rng):
    layer = Linear(3, 2, rng=rng)
    optimiser = SGD(layer.parameters(), lr=1.0)
    optimiser.step()
    move(layer)
    layer(Tensor(np.ones((1, 3), layer.weight.array.dtype))).sum().backward()
    with pytest.raises(ConfigError, match="belong to another optimiser") as error:
        optimiser.step()
    assert "\n" not in str(error.value)


def test_an_older_view_of_the_same_arrays_still_works(rng):
    layer = Linear(3, 2, rng=rng)
    first, second = layer.flat(), layer.flat()
    layer(Tensor(np.ones((1, 3), np.float32))).sum().backward()
    assert first.gather() is second.gather()


def test_gradients_move_nothing(rng):
    tensors = three(rng)
    flat = FlatParameters.of(tensors)
    sum(t.sum() for t in tensors).backward()
    (only,) = FlatParameters.gradients(tensors[:1])
    assert np.shares_memory(only, flat.grad)
    assert_holds(flat, tensors)
    (whole,) = FlatParameters.gradients(tensors)
    assert whole is flat.grad


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda _: [], "at least one parameter; got none"),
        (lambda p: [p, p], "given once; got one of them twice"),
        (lambda p: [p, Tensor([1.0])], "requires_grad=True; got one with requires_grad=False"),
        (lambda p: [p, Parameter(np.zeros(2))], "same dtype; got float32 and float64"),
    ],
)
def test_parameters_that_do_not_go_together(make, rule, rng):
    with pytest.raises(ConfigError, match=rule) as error:
        FlatParameters.of(make(three(rng)[0]))
    assert "\n" not in str(error.value)
