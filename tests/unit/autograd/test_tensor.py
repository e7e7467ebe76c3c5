"""The Tensor's own rules: what it is made of, how it prints, and what it says to a mistake."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from backlight.autograd import (
    Parameter,
    Tensor,
    Value,
    cat,
    cross_entropy,
    embed,
    hinge,
    linear,
    mse,
    no_grad,
    one_hot,
    stack,
    where,
)
from backlight.core import BacklightError, ConfigError, GraphError, ShapeError


def ones(*shape: int, requires_grad: bool = False) -> Tensor:
    return Tensor(np.ones(shape, np.float32), requires_grad=requires_grad)


# -- making one --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, np.float32, ()),
        (2, np.int64, ()),
        (True, np.bool_, ()),
        ([1, 2.5], np.float32, (2,)),
        ([[1, 2], [3, 4]], np.int64, (2, 2)),
        (np.zeros(3), np.float64, (3,)),
        (np.zeros(3, np.int32), np.int32, (3,)),
        (range(3), np.int64, (3,)),
        ((), np.float32, (0,)),
        ([Tensor(1.0), Tensor(2.0)], np.float32, (2,)),
        ([[Tensor(1.0)], [Tensor(2.0)]], np.float32, (2, 1)),
        (Tensor([1, 2]), np.int64, (2,)),
        (np.float64(1.0), np.float64, ()),
    ],
)
def test_floats_become_float32_and_arrays_stay(data: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    made = Tensor(data)
    assert (made.dtype, made.shape) == (dtype, shape)
    assert isinstance(made.array, np.ndarray)


def test_an_array_is_shared_not_copied() -> None:
    array = np.zeros(2)
    tensor = Tensor(array)
    tensor[0] = 1.0
    assert array.tolist() == [1.0, 0.0]
    assert tensor.detach().numpy() is array


def test_a_parameter_needs_a_gradient_and_results_are_plain() -> None:
    p = Parameter([1.0, 2.0], label="w")
    assert (p.requires_grad, p.label, p.is_leaf) == (True, "w", True)
    assert type(p * 2) is Tensor


def test_every_result_is_an_array_also_without_axes() -> None:
    a = Tensor(np.array(0.5), requires_grad=True)
    for made in (
        a + 1,
        a * a,
        a.tanh(),
        a.sum(),
        Tensor([1.0])[0],
        a.exp().log(),
        a == 1,
        a.max(),
        Tensor([1.0]).argmax(),
    ):
        assert isinstance(made.array, np.ndarray)
    (a + a + a * a).backward()
    assert a.grad is not None
    assert isinstance(a.grad.array, np.ndarray)
    a.grad.zero_()
    assert a.grad.item() == 0


# -- printing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (Tensor(1.5), "tensor(1.5000)"),
        (Tensor([1.0, 2.5]), "tensor([1.0000, 2.5000])"),
        (Tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
        (Tensor([True, False]), "tensor([ True, False])"),
        (Tensor(np.array([0.5])), "tensor([0.5000], dtype=torch.float64)"),
        (Tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (Tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
        (Tensor([]), "tensor([])"),
    ],
)
def test_repr_is_readable(tensor: Tensor, text: str) -> None:
    assert repr(tensor) == text


def test_a_large_tensor_prints_short() -> None:
    assert len(repr(ones(1000, 1000))) < 1000


def test_format_of_a_number() -> None:
    assert f"{Tensor(0.123456):.3f}" == "0.123"
    assert f"{Tensor([1.0])}" == "tensor([1.])"


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_seen_gradient_belongs_to_its_tensor() -> None:
    """Ops hand one array to several nodes, and views of it; whoever may keep one gets its own."""
    a, b = ones(3, requires_grad=True), ones(3, requires_grad=True)
    inner = a * 1
    inner.retain_grad()
    above = np.ones(3, np.float32)
    (inner + b).backward(above)
    for tensor in (a, b, inner):
        assert tensor.grad is not None
        tensor.grad += 1
        assert tensor.grad.tolist() == [2.0, 2.0, 2.0]
    assert above.tolist() == [1.0, 1.0, 1.0]


def test_a_retained_gradient_of_a_sum_can_be_changed() -> None:
    inner = ones(3, requires_grad=True) * 2
    inner.retain_grad()
    inner.sum().backward()
    assert inner.grad is not None
    inner.grad *= 3
    assert inner.grad.tolist() == [3.0, 3.0, 3.0]


def test_a_gradient_shared_by_two_nodes_is_changed_for_neither() -> None:
    """A sum hands one array to both its sides; what then reaches one side by another path must not reach the other."""
    a, b = ones(2, requires_grad=True), ones(2, requires_grad=True)
    left, right = a * 1, b * 1
    elsewhere = left * 3
    (elsewhere + (left + right)).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.tolist(), b.grad.tolist()) == ([4.0, 4.0], [1.0, 1.0])


def test_a_second_walk_starts_afresh_between_the_ends() -> None:
    a = ones(2, requires_grad=True)
    inner = a * 3
    inner.retain_grad()
    end = (inner * 2).sum()
    for walks in (1, 2, 3):
        end.backward(retain_graph=True)
        assert a.grad is not None
        assert inner.grad is not None
        assert a.grad.tolist() == [6.0 * walks] * 2
        assert inner.grad.tolist() == [2.0, 2.0]


def test_a_gradient_between_the_ends_is_dropped_unless_it_was_asked_for() -> None:
    a = ones(2, requires_grad=True)
    inner = a * 3
    end = inner.sum()
    end.backward()
    assert inner.grad is None
    assert end.grad is None
    assert a.grad is not None


def test_writing_to_a_view_changes_the_whole_and_its_gradient() -> None:
    a = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    kept = a * 3
    seen = kept.view(2)
    seen[0] = 0.0
    kept.sum().backward()
    assert kept.tolist() == seen.tolist() == [0.0, 6.0]
    assert a.grad is not None
    assert a.grad.tolist() == [0.0, 3.0]


def test_nothing_is_kept_where_no_gradient_is_wanted() -> None:
    a = ones(3, requires_grad=True)
    with no_grad():
        quiet = a * 2
    assert (quiet._prev, quiet._saved) == ((), None)
    assert (ones(3) * 2)._prev == ()


def test_setting_a_gradient() -> None:
    a = ones(3, requires_grad=True)
    a.grad = np.array([1, 2, 3])  # type: ignore[assignment]
    assert a.grad is not None
    assert (a.grad.tolist(), a.grad.dtype) == ([1.0, 2.0, 3.0], np.float32)
    a.zero_grad()
    assert a.grad is None


def test_equality_with_what_is_no_number() -> None:
    a = ones(2)
    assert (a == None) is False  # noqa: E711
    assert (a != "x") is True
    assert len({a, a, ones(2)}) == 2


def test_the_small_end_of_the_sigmoid_is_not_0() -> None:
    assert_allclose(Tensor([-40.0]).sigmoid().log().detach().numpy(), [-40.0], rtol=1e-6)


# -- mistakes ----------------------------------------------------------------------------------------------------------

W = ones(2, 3, requires_grad=True)
LOGITS = ones(2, 5, requires_grad=True)

MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # shapes
    (lambda: ones(2, 3) + ones(2), ShapeError, r"add \(y = a \+ b\): .*1 or missing; got \(2, 3\) and \(2,\)"),
    (lambda: ones(2, 3) * ones(4, 3), ShapeError, r"mul .* got \(2, 3\) and \(4, 3\)"),
    (lambda: ones(2, 3) @ ones(2, 3), ShapeError, r"matmul .*must be as long as b's.* got \(2, 3\) and \(2, 3\)"),
    (lambda: ones(2, 3) @ Tensor(2.0), ShapeError, r"matmul .* got \(2, 3\) and \(\)"),
    (lambda: ones(2, 3) < ones(2), ShapeError, r"comparison .* got \(2, 3\) and \(2,\)"),
    (lambda: ones(2).__iadd__(ones(3)), ShapeError, r"add .* got \(2,\) and \(3,\)"),
    (lambda: ones(2).__iadd__(ones(3, 2)), ShapeError, r"in place must keep the shape \(2,\); the result has \(3, 2\)"),
    (lambda: Tensor(0.0).__iadd__(W), ShapeError, r"in place must keep the shape \(\)"),
    (lambda: ones(2, 3).view(4, 2), ShapeError, r"reshape .* got \(2, 3\), shape \(4, 2\)"),
    (lambda: ones(2, 3).view(-1, -1), ShapeError, "reshape"),
    (lambda: ones(2, 3).expand(2, 4), ShapeError, "expand"),
    (lambda: ones(2, 3).permute(0, 0), ShapeError, "permute"),
    (lambda: ones(2, 3).permute(0), ShapeError, "permute"),
    (lambda: ones(2, 2, 2).t(), ShapeError, r"at most 2 axes; got \(2, 2, 2\)"),
    (lambda: ones(3).tril(), ShapeError, r"at least two axes; got shape \(3,\)"),
    (lambda: ones(2).item(), ShapeError, r"single element; got a tensor of shape \(2,\)"),
    (lambda: int(ones(2)), ShapeError, "single element"),
    (lambda: cat([]), ShapeError, "at least one tensor"),
    (lambda: stack([]), ShapeError, "at least one tensor"),
    (lambda: cat([ones(2, 3), ones(2)]), ShapeError, r"cat .* got \(2, 3\) and \(2,\)"),
    (lambda: cat([ones(2, 3), ones(3, 4)]), ShapeError, "cat"),
    (lambda: stack([ones(2), ones(3)]), ShapeError, r"stack .* got \(2,\) and \(3,\)"),
    (lambda: where(ones(2), ones(3), ones(3)), ShapeError, "where"),
    (lambda: ones(2, 3).masked_fill(ones(2) > 0, 0), ShapeError, "masked_fill"),
    (lambda: ones(2).split(0), ShapeError, "at least 1; got 0"),
    (lambda: linear(ones(2, 4), ones(3, 5)), ShapeError, r"x \(\.\.\., I\) and weight \(I, O\); got x of .*4\)"),
    (lambda: linear(ones(2, 3), ones(3, 5), ones(4)), ShapeError, r"linear .* b \(O,\); got"),
    (lambda: mse(ones(2), ones(2, 1)), ShapeError, r"same shape; got \(2,\) and \(2, 1\)"),
    (lambda: hinge(ones(2), [1.0]), ShapeError, r"same shape; got \(2,\) and \(1,\)"),
    (lambda: ones(0, 2).max(0), ShapeError, r"at least one element; got shape \(0, 2\)"),
    (lambda: ones(0).argmin(), ShapeError, "at least one element"),
    (lambda: ones(2, 3).max((0, 1)), ShapeError, "take one dim"),
    *[
        (lambda act=act: act(ones(2, 3)), ShapeError, r"dim must be in -[23]\.\.[12] for shape \(2, 3\); got [57]")
        for act in [
            lambda t: t.sum(5), lambda t: t.mean((0, 5)), lambda t: t.max(5), lambda t: t.argmax(5), lambda t: t.all(5),
            lambda t: t.any(5), lambda t: t.var(axis=5), lambda t: t.unsqueeze(7), lambda t: t.squeeze(7),
            lambda t: t.transpose(0, 5), lambda t: t.permute(5, 0), lambda t: t.flatten(5), lambda t: t.unbind(5),
            lambda t: t.split(1, 5), lambda t: t.size(5), lambda t: t.unflatten(5, (1,)),
        ]
    ],
    (lambda: ones(2, 3).cumsum(5), ShapeError, "dim must be in"),
    (lambda: ones(2, 3).softmax(5), ShapeError, "dim must be in"),
    (lambda: cat([ones(1), ones(1)], 4), ShapeError, "dim must be in"),
    (lambda: ones(2, 3).max(ones(2)), ShapeError, "whole number"),
    (lambda: Tensor(1.0).permute(3), ShapeError, "dim must be in"),
    # what a tensor is made of
    (lambda: Tensor([[1.0], [2.0, 3.0]]), ShapeError, "rows of equal length"),
    (lambda: Tensor("abc"), ShapeError, "made of numbers; got str"),
    (lambda: Tensor(None), ShapeError, "made of numbers; got NoneType"),
    (lambda: Tensor(np.array(["a"])), ShapeError, "made of numbers; got ndarray"),
    (lambda: Tensor([Value(1.0)]), ShapeError, "made of numbers; got list"),
    (lambda: ones(2) + "x", ShapeError, "made of numbers; got str"),
    (lambda: ones(2) * None, ShapeError, "made of numbers; got NoneType"),
    # graphs
    (ones(2).sum().backward, GraphError, r"no tensor that this one was computed from has requires_grad=True"),
    ((W * 2).backward, GraphError, r"needs a single number; got a tensor of shape \(2, 3\)"),
    (lambda: (W * 2).backward(np.ones(3)), ShapeError, r"its tensor's shape, \(2, 3\); got \(3,\)"),
    (lambda: setattr(W, "grad", np.ones(3)), ShapeError, r"its tensor's shape, \(2, 3\); got \(3,\)"),
    (lambda: Tensor([1, 2], requires_grad=True), GraphError, "only floating-point tensors have gradients; got int64"),
    (lambda: (W * 2).requires_grad_(wanted=False), GraphError, "must be set on a leaf"),
    (lambda: W.__isub__(1), GraphError, "changed in place"),
    (lambda: W.__setitem__(0, 1.0), GraphError, "cannot be changed in place"),
    (lambda: Tensor([1, 2]).mean(), GraphError, "mean needs floating-point numbers; got int64"),
    (lambda: Tensor([1, 2]).std(), GraphError, "std needs floating-point"),
    (lambda: Tensor([1, 2]).var(), GraphError, "var needs floating-point"),
    (lambda: Tensor([1, 2]).__iadd__(0.5), GraphError, "must keep the dtype int64; the result has float32"),
    (lambda: Tensor([1, 2]).masked_fill([True, False], float("-inf")), GraphError, "dtype int64; got -inf"),
    # indices
    (lambda: ones(2, 3)[5], IndexError, r"inside the shape, \(2, 3\)"),
    (lambda: ones(2, 3)[0, 0, 0], IndexError, "inside the shape"),
    (lambda: ones(2, 3)[[0, 2]], IndexError, r"0\.\.1; got 0\.\.2"),
    (lambda: ones(2, 3)[np.array([-3])], IndexError, r"0\.\.1"),
    (lambda: ones(2, 3)["a"], IndexError, "inside the shape"),
    (lambda: ones(2, 3)[Tensor([True])], IndexError, "inside the shape"),
    (lambda: ones(2, 3).__setitem__(5, 0), IndexError, "inside the shape"),
    (lambda: ones(2, 3).__setitem__(0, ones(2)), ShapeError, "must fit the indexed elements"),
    (lambda: len(Tensor(1.0)), TypeError, "len.. needs at least one axis"),
    (lambda: list(Tensor(1.0)), TypeError, "at least one axis"),
    (lambda: [1, 2][Tensor(0.5)], TypeError, "must be an integer; got float32"),
    # targets and ids
    (lambda: cross_entropy(LOGITS, [0, 5]), ConfigError, r"targets must be in 0\.\.4, or -1 to be excluded; got 5"),
    (lambda: cross_entropy(LOGITS, [0, -2]), ConfigError, "got -2"),
    (lambda: cross_entropy(LOGITS, [-1, -1]), ConfigError, "at least one target other than -1; got none among 2"),
    (lambda: cross_entropy(LOGITS, [0]), ShapeError, r"shape \(2,\); got logits \(2, 5\) and targets \(1,\)"),
    (lambda: cross_entropy(LOGITS, [0.0, 1.0]), ConfigError, "integer targets; got float32 and float32"),
    (lambda: cross_entropy(LOGITS, [True, False]), ConfigError, "integer targets"),
    (lambda: cross_entropy(Tensor([[1, 2]]), [0]), ConfigError, "floating-point logits"),
    (lambda: one_hot([0, 3], 3), ConfigError, r"0\.\.2 for 3 classes; got 0\.\.3"),
    (lambda: one_hot([-1, 0]), ConfigError, r"got -1\.\.0"),
    (lambda: one_hot([0.5]), ConfigError, "integer ids; got float32"),
    (lambda: one_hot(np.zeros(0, np.int64)), ConfigError, "Pass num_classes"),
    (lambda: embed([2], W), ConfigError, r"0\.\.1, the rows of the weight; got 2\.\.2"),
    (lambda: embed([0.5], W), ConfigError, "integer ids"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "error", "says"), MISTAKES, ids=[says for _, _, says in MISTAKES])
def test_a_mistake_is_one_line(mistake: Callable[[], Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        mistake()
    message = str(caught.value)
    assert "\n" not in message
    assert isinstance(caught.value, BacklightError) or error in {IndexError, TypeError}
    assert not any(word in message for word in ("ufunc", "gufunc", "operand"))


def test_a_mistake_leaves_the_tensor_as_it_was() -> None:
    a = ones(2, 3)
    with pytest.raises(ShapeError):
        a += ones(4)
    with pytest.raises(ShapeError):
        a[0] = ones(2)
    assert a.tolist() == [[1.0] * 3] * 2
    assert not a.requires_grad


# -- empty and odd -----------------------------------------------------------------------------------------------------


def test_nothing_can_be_picked_out() -> None:
    w = ones(3, 2, requires_grad=True)
    nothing = w[np.zeros(0, np.int64)].sum() + embed(np.zeros((0, 4), np.int64), w).sum() + w[[]].sum()
    nothing.backward()
    assert w.grad is not None
    assert w.grad.tolist() == [[0.0, 0.0]] * 3


def test_ids_of_any_integer_dtype() -> None:
    w = Tensor(np.arange(600, dtype=np.float32).reshape(300, 2), requires_grad=True)
    for dtype in (np.uint8, np.int8, np.int16, np.int32, np.uint64):
        ids = np.array([1, 100], dtype)
        assert w[ids].tolist() == [[2.0, 3.0], [200.0, 201.0]]
        assert cross_entropy(w.T, ids).item() > 0


def test_targets_that_do_not_count_change_nothing() -> None:
    rng = np.random.default_rng(5)
    z = rng.standard_normal((4, 6))
    some, few = Tensor(z, requires_grad=True), Tensor(z[[0, 2]], requires_grad=True)
    loss, same = cross_entropy(some, [3, -1, 1, -1]), cross_entropy(few, [3, 1])
    loss.backward()
    same.backward()
    assert loss.item() == same.item()
    assert some.grad is not None
    assert few.grad is not None
    assert_allclose(some.grad.detach().numpy()[[0, 2]], few.grad.detach().numpy())
    assert not some.grad.detach().numpy()[[1, 3]].any()


def test_a_hook_is_given_the_whole_gradient_before_it_is_passed_on():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = x * 3.0
    seen = []
    y.register_hook(lambda gradient: seen.append((gradient.copy(), x.grad)))
    y.register_hook(lambda _: seen.append("second"))
    (y * y + y).sum().backward()
    np.testing.assert_allclose(seen[0][0], [7.0, 13.0])  # by two paths: 2 y + 1
    assert seen[0][1] is None
    assert seen[1:] == ["second"]
    np.testing.assert_allclose(x.grad.detach().numpy(), [21.0, 39.0])
