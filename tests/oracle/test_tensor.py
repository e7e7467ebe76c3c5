"""What a Tensor does, beside what PyTorch's does: the same few lines run on both."""

# ruff: noqa: ARG005  (an expression of two tensors may use one)

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import functional

import backlight.autograd as ours
from backlight.autograd import Tensor
from backlight.core import GraphError

Make = Callable[..., Any]


def _ours(data: Any, *, requires_grad: bool = True) -> Tensor:
    return Tensor(np.array(data), requires_grad=requires_grad)


def _theirs(data: Any, *, requires_grad: bool = True) -> torch.Tensor:
    return torch.tensor(np.array(data), requires_grad=requires_grad)


def _numbers(tensor: Any) -> np.ndarray[Any, Any]:
    return np.asarray(tensor.detach().numpy())


A = np.random.default_rng(1).standard_normal((3, 4))
B = np.random.default_rng(2).standard_normal((4,))
CUBE = np.random.default_rng(3).standard_normal((2, 3, 4))

EXPRESSIONS: dict[str, Callable[..., Any]] = {
    "number on the right": lambda a, b: (a + 1) * 2.5 - 3 + a / 4,
    "number on the left": lambda a, b: 1 + 2.5 * a - (3 - a) + 4 / (a * a + 1),
    "powers": lambda a, b: a**2 + a**3 + (a * a + 1) ** 0.5 + 2 ** (a * 0.5) + (a * a + 1) ** b,
    "a used three times": lambda a, b: a * a + a,
    "diamond": lambda a, b: (a * b).tanh() + (a * b).exp() * (a + b),
    "matrix, vector": lambda a, b: (a @ b).relu().sum() + (b @ a.T).sigmoid().mean(),
    "no axes left": lambda a, b: a.sum().tanh() + b.mean().sigmoid() + a.max().exp() * b[0],
    "a number from indexing": lambda a, b: a[1, 2] * a[1, 2] + a[-1][0] * b[3] + b[3],
    "normalised": lambda a, b: (a - a.mean(0, keepdim=True)) / (a.var(0, keepdim=True) + 1e-5) ** 0.5 * b,
    "by hand softmax": lambda a, b: a.exp() / a.exp().sum(1, keepdim=True),
    "softmax": lambda a, b: a.softmax(dim=1) * b + a.log_softmax(-1),
    "std biased": lambda a, b: a.std(1, unbiased=False) + a.std(1) + a.std(),
    "var": lambda a, b: a.var() + a.var(unbiased=False) + a.var(1, correction=0),
    "max values": lambda a, b: a.max(1, keepdim=True).values * b + a.min(0)[0],
    "max keeps axis": lambda a, b: a - a.max(1, keepdim=True).values,
    "sums over two axes": lambda a, b: (a[None] * b).sum((0, 2)) + (a[None] * b).mean(dim=(0, -1), keepdim=False),
    "views": lambda a, b: a.view(2, 6).view(-1, 3) @ a.reshape(3, 4)[:, :2].reshape(-1, 1).view(3, 2),
    "transposed": lambda a, b: a.T @ a + a.transpose(0, 1) @ a + a.t() @ a.permute(0, 1),
    "unsqueeze": lambda a, b: a.unsqueeze(0) + b.unsqueeze(-1).squeeze(1) + b.unsqueeze(0).squeeze(),
    "rows": lambda a, b: a[[0, 2, 2]] * b + a[np.array([1, 1, 0])].sum(),
    "range": lambda a, b: a[range(3), [0, 1, 1]] + a[range(3)].sum(),
    "negative rows": lambda a, b: a[np.array([-1, -1, 0])] * b,
    "slices": lambda a, b: a[1:, ::2].sum() + a[..., -1] + a[:, None].squeeze(1)[:, 1],
    "iteration": lambda a, b: sum((row * row).sum() for row in a),
    "unbind": lambda a, b: a.unbind(1)[0] * a.unbind(1)[-1] + a.unbind()[1].sum(),
    "split": lambda a, b: a.split(3, dim=1)[1] * a.split(3, dim=1)[0],
    "masked": lambda a, b: a.masked_fill(a > 0.3, -2.0) * b,
    "triangles": lambda a, b: a.tril() * 2 + a.triu(1) * b,
    "cumsum": lambda a, b: a.cumsum(1) * b,
    "flatten": lambda a, b: a[None].flatten(1) * a[None].flatten(),
    "expand": lambda a, b: b.expand(3, -1) * a + a[:, :1].expand(3, 4) + b[None].expand((3, 4)),
    "abs sin cos sqrt log": lambda a, b: a.abs().sqrt() + (a.abs() + 1).log() + a.sin() * a.cos() + (-a).abs(),
    "unflatten": lambda a, b: a.unflatten(1, (2, 2)).sum(1),
    "clone": lambda a, b: a.clone() * a + b,
    "constant from numpy": lambda a, b: a * 2 + b.detach() * a,
}


def _augmented(a: Any, b: Any) -> Any:
    total = a * 1
    total += b
    total *= 2
    total -= a
    total /= 3
    return total


EXPRESSIONS["augmented assignment"] = _augmented


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_and_gradients(name: str, rng: np.random.Generator) -> None:
    expression = EXPRESSIONS[name]
    mine, theirs = [_ours(A), _ours(B)], [_theirs(A), _theirs(B)]
    y, reference = expression(*mine), expression(*theirs)
    assert tuple(y.shape) == tuple(reference.shape)
    assert_allclose(_numbers(y), _numbers(reference), rtol=1e-10, atol=1e-12)
    above = np.asarray(rng.standard_normal(y.shape))
    y.backward(Tensor(above))
    reference.backward(torch.tensor(above))
    for leaf, twin in zip(mine, theirs, strict=True):
        assert (leaf.grad is None) == (twin.grad is None)
        if twin.grad is not None:
            assert_allclose(_numbers(leaf.grad), _numbers(twin.grad), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("join", "twin"),
    [
        (lambda a, b: ours.cat([a, b, a]), lambda a, b: torch.cat([a, b, a])),
        (lambda a, b: ours.cat((a, b), dim=1), lambda a, b: torch.cat((a, b), dim=1)),
        (lambda a, b: ours.stack([a, b], 1), lambda a, b: torch.stack([a, b], 1)),
        (lambda a, b: ours.stack([a[0, 0], b[1, 1]]), lambda a, b: torch.stack([a[0, 0], b[1, 1]])),
        (lambda a, b: ours.where(a > 0, a, b), lambda a, b: torch.where(a > 0, a, b)),
        (lambda a, b: ours.where(a > 0, 0.5, b), lambda a, b: torch.where(a > 0, 0.5, b)),
        (lambda a, b: ours.where(a > 0, a, 2), lambda a, b: torch.where(a > 0, a, 2)),
        (lambda a, b: ours.linear(a, b.T, b[:, 0]), lambda a, b: functional.linear(a, b, b[:, 0])),
        (lambda a, b: ours.embed([[0, 2], [2, 2]], a), lambda a, b: a[torch.tensor([[0, 2], [2, 2]])]),
        (lambda a, b: ours.cross_entropy(a, [0, 3, -1]),
         lambda a, b: functional.cross_entropy(a, torch.tensor([0, 3, -1]), ignore_index=-1)),
        (ours.mse, functional.mse_loss),
    ],
)  # fmt: skip
def test_functions_of_two(join: Callable[..., Any], twin: Callable[..., Any], rng: np.random.Generator) -> None:
    mine, theirs = [_ours(CUBE[0]), _ours(CUBE[1])], [_theirs(CUBE[0]), _theirs(CUBE[1])]
    y, reference = join(*mine), twin(*theirs)
    above = np.asarray(rng.standard_normal(y.shape))
    y.backward(Tensor(above))
    reference.backward(torch.tensor(above))
    assert_allclose(_numbers(y), _numbers(reference), rtol=1e-10, atol=1e-12)
    for leaf, other in zip(mine, theirs, strict=True):
        assert (leaf.grad is None) == (other.grad is None)
        if other.grad is not None:
            assert_allclose(_numbers(leaf.grad), _numbers(other.grad), rtol=1e-10, atol=1e-12)


INDICES: list[Any] = [
    0, -1, (1, 2), slice(1, None), slice(None, None, 2), None, Ellipsis, (..., 1), (slice(None), None, 1), [0, 1],
    [1, 1, 0], range(2), ([0, 1], [2, 0]), (slice(None), [0, 2, 2]), (0, [1, 1]), [True, False], np.array([1, 0]),
    np.array([[0], [1]]), (0, 1, 2), slice(0, 0),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing_reads_and_writes(index: Any) -> None:
    mine, theirs = _ours(CUBE, requires_grad=False), _theirs(CUBE, requires_grad=False)
    index_theirs = torch.tensor(index) if isinstance(index, (range, np.ndarray)) else index
    assert_allclose(_numbers(mine[index]), _numbers(theirs[index_theirs]))
    mine[index] = 7.5
    theirs[index_theirs] = 7.5
    mine[index] = mine[index] * 2
    theirs[index_theirs] = theirs[index_theirs] * 2
    assert_allclose(_numbers(mine), _numbers(theirs))


def test_indexing_by_tensors() -> None:
    mine, theirs = _ours(A), _theirs(A)
    rows, columns = [0, 2, 2], [3, 3, 1]
    y = mine[Tensor(rows), Tensor(columns)].sum() + (mine[Tensor(rows)] * 2).sum() + mine[Tensor(1)].sum()
    reference = (
        theirs[torch.tensor(rows), torch.tensor(columns)].sum()
        + (theirs[torch.tensor(rows)] * 2).sum()
        + theirs[torch.tensor(1)].sum()
    )
    y = y + mine[mine > 0].sum() * 3
    reference = reference + theirs[theirs > 0].sum() * 3
    y.backward()
    reference.backward()
    assert_allclose(_numbers(mine.grad), _numbers(theirs.grad), rtol=1e-10)


@pytest.mark.parametrize("make", [_ours, _theirs])
def test_a_written_tensor_can_be_read(make: Make) -> None:
    """As in the lecture on backpropagation by hand, where gradients are collected from tensors that have a history."""
    w = make([1.0, 2.0])
    table = make([0.0, 0.0, 0.0], requires_grad=False)
    product = w * 3
    for i in range(2):
        table[i] += product[i]
        table[2] += product[i]
    assert table.tolist() == [3.0, 6.0, 9.0]
    assert table.requires_grad
    assert not table.is_leaf
    assert (table * 2 == make([6.0, 12.0, 18.0])).all()
    assert not (table > 1).requires_grad
    table = table.detach()
    table[0] = 1.0
    assert table[0].item() == 1
    slopes = (w * 2).softmax(0)
    slopes[range(1)] -= 1
    slopes /= 2
    assert_allclose(slopes.sum().item(), 0, atol=1e-15)
    with pytest.raises((ValueError, RuntimeError)):
        w[0] = 1.0


@pytest.mark.parametrize("place", range(7))
def test_a_written_tensor_passes_its_gradient_on_or_is_refused(place: int) -> None:
    def ends(w: Any, table: Any) -> Any:
        before = (table * w).sum()
        table[0] = w[1]
        result = w * 2
        result_before = (result * result).sum()
        result[0] = 7.0
        found = [table.sum(), table.sum() + w.sum(), before, before + table.sum(), result.sum(), result_before]
        return [*found, result_before + result.sum()][place]

    w, twin = _ours([1.0, 2.0]), _theirs([1.0, 2.0])
    try:
        ends(twin, torch.zeros(2, dtype=torch.float64)).backward()
    except RuntimeError:
        with pytest.raises(GraphError, match="in place"):
            ends(w, Tensor(np.zeros(2))).backward()
        return
    ends(w, Tensor(np.zeros(2))).backward()
    assert_allclose(_numbers(w.grad), _numbers(twin.grad), rtol=1e-10)


def test_counting_by_index_in_place() -> None:
    mine, theirs = Tensor(np.zeros((3, 3), np.int32)), torch.zeros((3, 3), dtype=torch.int32)
    for i, j in [(0, 1), (0, 1), (2, 2)]:
        mine[i, j] += 1
        theirs[i, j] += 1
    assert mine.tolist() == theirs.tolist()


# -- gradients over calls, and where they stop -------------------------------------------------------------------------


def test_gradients_add_up_over_calls_until_none() -> None:
    for make in (_ours, _theirs):
        w = make(3.0)
        (w * w).backward()
        (w * 2).backward()
        assert w.grad.item() == 8
        w.grad = None
        (w * w * w).backward()
        assert w.grad.item() == 27
        w.grad.zero_()
        (w + w).backward()
        assert w.grad.item() == 2


@pytest.mark.parametrize("make", [_ours, _theirs])
def test_only_what_is_asked_for_keeps_a_gradient(make: Make) -> None:
    w = make([1.0, 2.0])
    kept, dropped = w * 3, w * 5
    kept.retain_grad()
    y = (kept * dropped).sum()
    y.retain_grad()
    y.backward()
    assert kept.grad.tolist() == [5.0, 10.0]
    assert y.grad.item() == 1
    assert kept.requires_grad
    assert not kept.is_leaf
    assert w.is_leaf
    kept.grad *= 0  # its own, shared with no other
    assert w.grad.tolist() == [30.0, 60.0]


@pytest.mark.parametrize("make", [_ours, _theirs])
def test_detach_cuts_the_path(make: Make) -> None:
    w = make([1.0, 2.0])
    (w * w.detach()).sum().backward()
    assert w.grad.tolist() == [1.0, 2.0]
    assert not w.detach().requires_grad
    w.detach()[0] = 5.0  # the same numbers
    assert w.tolist() == [5.0, 2.0]


@pytest.mark.parametrize(("make", "no_grad"), [(_ours, ours.no_grad), (_theirs, torch.no_grad)])
def test_no_grad(make: Make, no_grad: Callable[[], Any]) -> None:
    w = make([1.0, 2.0])

    @no_grad()
    def evaluate(x: Any) -> Any:
        return x * 2

    assert not evaluate(w).requires_grad
    with no_grad():
        assert not (w * 2).requires_grad
        with no_grad():
            pass
        assert not (w * 2).requires_grad
        w -= 0.5
    assert w.tolist() == [0.5, 1.5]
    assert (w * 2).requires_grad
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (w * 2).requires_grad


@pytest.mark.parametrize(("make", "no_grad"), [(_ours, ours.no_grad), (_theirs, torch.no_grad)])
def test_no_grad_is_of_one_thread(make: Make, no_grad: Callable[[], Any]) -> None:
    w = make([1.0])
    seen: list[bool] = []
    with no_grad():
        other = threading.Thread(target=lambda: seen.append((w * 2).requires_grad))
        other.start()
        other.join()
        seen.append((w * 2).requires_grad)
    assert seen == [True, False]


@pytest.mark.parametrize("make", [_ours, _theirs])
def test_requires_grad_spreads_from_any_input(make: Make) -> None:
    w, x = make([1.0, 2.0]), make([3.0, 4.0], requires_grad=False)
    assert (w * x).requires_grad
    assert not (x * x).requires_grad
    assert not (w > 0).requires_grad
    assert not w.data.requires_grad
    (w * x).sum().backward()
    assert x.grad is None
    assert x.requires_grad_().requires_grad
    w.requires_grad = False
    assert not (w * 2).requires_grad


@pytest.mark.parametrize("make", [_ours, _theirs])
def test_updates_through_data(make: Make) -> None:
    w = make([1.0, 2.0])
    (w * w).sum().backward()
    w.data += -0.5 * w.grad
    assert w.tolist() == [0.0, 0.0]
    w.data -= w.grad
    w.data *= 2
    assert w.tolist() == [-4.0, -8.0]
    w.data = w.data * 0.5
    assert w.tolist() == [-2.0, -4.0]
    assert w.requires_grad
    assert w.is_leaf
    w.grad = None
    (w * 3).sum().backward()
    assert w.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("make", [_ours, _theirs])
def test_in_place(make: Make) -> None:
    w, x = make([1.0, 2.0]), make([3.0, 4.0], requires_grad=False)
    same = x
    x += 1
    x *= 2
    assert same.tolist() == [8.0, 10.0]
    with pytest.raises((ValueError, RuntimeError)):
        w += 1
    total = make(0.0, requires_grad=False)
    for _ in range(3):
        total += (w * x).sum()
    total.backward()
    assert w.grad.tolist() == [24.0, 30.0]
    counts = make([1, 2], requires_grad=False)
    counts += 1
    with pytest.raises((ValueError, RuntimeError)):
        counts += 0.5
    with pytest.raises((ValueError, RuntimeError)):
        counts /= 2
    assert counts.tolist() == [2, 3]


# -- kinds of numbers --------------------------------------------------------------------------------------------------

KINDS = ["bool", "int64", "float32", "float64"]
NUMBERS: list[Any] = [True, 2, 0.5]
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "<": lambda a, b: a < b,
    "==": lambda a, b: a == b,
}


@pytest.mark.parametrize("symbol", OPERATIONS)
@pytest.mark.parametrize("shape", [(2,), ()], ids=["row", "number"])
@pytest.mark.parametrize("right", KINDS)
@pytest.mark.parametrize("left", KINDS)
def test_dtype_of_two_tensors(left: str, right: str, shape: tuple[int, ...], symbol: str) -> None:
    a, b = np.ones((2,), left), np.ones(shape, right)
    operate = OPERATIONS[symbol]
    for x, y in [(a, b), (b, a)]:
        reference = operate(torch.tensor(x), torch.tensor(y))
        result = operate(Tensor(x), Tensor(y))
        assert str(result.dtype) == str(reference.dtype)
        assert result.tolist() == reference.tolist()


@pytest.mark.parametrize("symbol", OPERATIONS)
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", KINDS)
def test_dtype_of_tensor_and_number(kind: str, number: Any, symbol: str) -> None:
    a = np.ones(2, kind)
    operate = OPERATIONS[symbol]
    for flip in (False, True):
        mine = operate(number, Tensor(a)) if flip else operate(Tensor(a), number)
        reference = operate(number, torch.tensor(a)) if flip else operate(torch.tensor(a), number)
        assert str(mine.dtype) == str(reference.dtype)
        assert mine.tolist() == reference.tolist()


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (Tensor([1, 2]), torch.tensor([1, 2])),
        (Tensor([1.0, 2]), torch.tensor([1.0, 2])),
        (Tensor([True, False]), torch.tensor([True, False])),
        (Tensor(np.zeros(2)), torch.tensor(np.zeros(2))),
        (Tensor([1, 2]).float(), torch.tensor([1, 2]).float()),
        (Tensor([1.7, -2.7]).int(), torch.tensor([1.7, -2.7]).int()),
        (Tensor([1.7]).long(), torch.tensor([1.7]).long()),
        (Tensor([0.0, 2]).bool(), torch.tensor([0.0, 2]).bool()),
        (Tensor([True, True]).sum(), torch.tensor([True, True]).sum()),
        (Tensor(np.array([1, 2], np.int32)).sum(), torch.tensor([1, 2], dtype=torch.int32).sum()),
        (Tensor([3, 1]).argmax(), torch.tensor([3, 1]).argmax()),
        (Tensor([1, 4]).sqrt(), torch.tensor([1, 4]).sqrt()),
        (Tensor([1, 4]).exp(), torch.tensor([1, 4]).exp()),
        (Tensor([2, 4]) ** 2, torch.tensor([2, 4]) ** 2),
        (Tensor([2, 4]) ** 0.5, torch.tensor([2, 4]) ** 0.5),
        (ours.where(Tensor([True, False]), 0.5, 1), torch.where(torch.tensor([True, False]), 0.5, 1)),
        (ours.where(Tensor([True, False]), Tensor([1, 2]), 0.5),
         torch.where(torch.tensor([True, False]), torch.tensor([1, 2]), 0.5)),
        (ours.cat([Tensor([1]), Tensor([0.5])]), torch.cat([torch.tensor([1]), torch.tensor([0.5])])),
        (ours.stack([Tensor([1]), Tensor([0.5])]), torch.stack([torch.tensor([1]), torch.tensor([0.5])])),
        (ours.one_hot([0, 2]), functional.one_hot(torch.tensor([0, 2]))),
        (ours.one_hot([[0], [2]], 4), functional.one_hot(torch.tensor([[0], [2]]), 4)),
        (Tensor([0.1], dtype=np.float64) == 0.1, torch.tensor([0.1], dtype=torch.float64) == 0.1),
        (Tensor([[1.0, 5, 5]]).max(1).indices, torch.tensor([[1.0, 5, 5]]).max(1).indices),
        (Tensor([[1.0, 0, 0]]).min(1, keepdim=True).indices, torch.tensor([[1.0, 0, 0]]).min(1, keepdim=True).indices),
        (Tensor([[1, 2], [3, 0]]).max(), torch.tensor([[1, 2], [3, 0]]).max()),
        (Tensor([[1, 0], [1, 1]]).bool().all(1), torch.tensor([[1, 0], [1, 1]]).bool().all(1)),
        (Tensor([[0, 0], [0, 1]]).bool().any(), torch.tensor([[0, 0], [0, 1]]).bool().any()),
        (Tensor([1.0, -1]) / 0, torch.tensor([1.0, -1]) / 0),
        (Tensor([0.0, -1]).log(), torch.tensor([0.0, -1]).log()),
        (Tensor([100.0]).exp(), torch.tensor([100.0]).exp()),
        (Tensor([-1.0]) ** 0.5, torch.tensor([-1.0]) ** 0.5),
    ],
    ids=lambda tensor: None if isinstance(tensor, Tensor) else str(tensor),
)  # fmt: skip
def test_numbers_and_their_kind(mine: Tensor, theirs: torch.Tensor) -> None:
    assert str(mine.dtype) == str(theirs.dtype)
    assert mine.shape == tuple(theirs.shape)
    assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-6)


def test_a_float32_gradient_for_float32_whatever_it_met(rng: np.random.Generator) -> None:
    w = Tensor(rng.standard_normal((2, 3)).astype(np.float32), requires_grad=True)
    ((w * np.float64(2) + Tensor([1, 2, 3])) ** 2).sum().backward()
    (w.double() * rng.standard_normal((2, 3))).sum().backward()
    assert w.grad is not None
    assert w.grad.dtype == np.float32
    assert (w ** np.float64(2.5)).dtype == np.float32
    assert (w * np.float64(2)).dtype == np.float32
    assert (np.float64(2) * w).dtype == np.float32


def test_arrays_on_the_left_leave_the_answer_to_us(rng: np.random.Generator) -> None:
    w = Tensor(rng.standard_normal((2, 2)), requires_grad=True)
    array = rng.standard_normal((2, 2))
    for result in (array + w, array - w, array * w, array / w, array @ w, np.float64(2) * w):
        assert isinstance(result, Tensor)
        assert result.requires_grad


def test_a_twice_walked_graph_adds_again_to_the_leaves() -> None:
    w, twin = _ours(A), _theirs(A)
    y, reference = (w * w).sum().tanh(), (twin * twin).sum().tanh()
    for _ in range(3):
        y.backward(retain_graph=True)
        reference.backward(retain_graph=True)
    assert_allclose(_numbers(w.grad), _numbers(twin.grad), rtol=1e-10, atol=1e-12)


def test_numpy_shares_memory() -> None:
    for make in (_ours, _theirs):
        x = make([1.0, 2.0], requires_grad=False)
        x.detach().numpy()[0] = 5
        assert x.tolist() == [5.0, 2.0]
        assert x.view(2, 1).shape == (2, 1)
        assert x.size(0) == len(x) == x.numel() == x.nelement() == 2
        assert (x.dim(), x.ndim) == (1, 1)
        assert f"{x.sum():.2f}" == "7.00"
        assert float(x.sum()) == 7.0
        assert int(x.sum()) == 7
        assert bool(x.sum() > 0)
