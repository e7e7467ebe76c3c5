# ruff: noqa: ARG001  (every case gets the library and a weight)
"""Changes in place, beside PyTorch: the same numbers and gradients, and a refusal wherever PyTorch refuses.

Where PyTorch refuses only because it counts versions of memory that is not needed, ours may give the right gradient.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import backlight.torchlike as ours
from backlight.core import GraphError

Case = Callable[[Any], Any]
REFUSED = (GraphError, RuntimeError)


def three(t: Any) -> Any:
    return t.tensor([1.0, 2.0, 3.0])


def weights(t: Any) -> Any:
    return t.tensor([1.0, 1.5, 2.0], requires_grad=True)


def data_by_index(t: Any) -> Any:
    x, w = three(t), weights(t)
    z = (x * w).sum()
    x[0] = 50.0
    z.backward()


def data_by_operator(t: Any) -> Any:
    x, w = three(t), weights(t)
    z = (x * w).sum()
    x += 10
    z.backward()


def leaf_by_index(t: Any) -> Any:
    w = weights(t)
    z = (w * w).sum()
    with t.no_grad():
        w[0] = 9.0
    z.backward()


def leaf_by_operator(t: Any) -> Any:
    w = weights(t)
    z = (w**2).sum()
    with t.no_grad():
        w += 9.0
    z.backward()


def detached_alias(t: Any) -> Any:
    w = weights(t)
    h = w.exp()
    h.detach()[0] = 1000.0
    h.sum().backward()


def alias_by_method(t: Any) -> Any:
    w = weights(t)
    h = w.tanh()
    h.detach().zero_()
    h.sum().backward()


def a_view(t: Any) -> Any:
    x, w = t.ones(2, 3), weights(t)
    z = (x * w).sum()
    x.view(6)[4] = 3.0
    z.backward()


def a_transpose(t: Any) -> Any:
    x, w = t.ones(3, 3), weights(t)
    z = (x @ w).sum()
    x.T.fill_(2.0)
    z.backward()


def own_result(t: Any) -> Any:
    w = weights(t)
    h = w.exp()
    h += 1
    h.sum().backward()


def own_result_by_index(t: Any) -> Any:
    w = weights(t)
    h = w.sigmoid()
    h[1] = 0.0
    h.sum().backward()


def twice(t: Any) -> Any:
    z = (weights(t) ** 2).sum()
    z.backward()
    z.backward()


def shared_twice(t: Any) -> Any:
    h = weights(t).exp()
    (h * 2).sum().backward()
    (h * 3).sum().backward()


def leaf(t: Any) -> Any:
    w = weights(t)
    w += 1


def leaf_method(t: Any) -> Any:
    weights(t).zero_()


def leaf_index(t: Any) -> Any:
    weights(t)[0] = 1.0


def leaf_view(t: Any) -> Any:
    w = weights(t)
    w[:2].fill_(1.0)


def leaf_view_of_view(t: Any) -> Any:
    t.ones(2, 2, requires_grad=True).view(4)[1:].mul_(2)


def expanded(t: Any) -> Any:
    x = t.ones(1).expand(3)
    x += t.tensor([1.0, 2.0, 3.0])


def numpy_of_a_weight(t: Any) -> Any:
    weights(t).numpy()


def plotted(t: Any) -> Any:
    np.asarray(weights(t) * 2)


def dtype_changes(t: Any) -> Any:
    t.tensor([1, 2]).mul_(0.5)


def shape_changes(t: Any) -> Any:
    three(t).add_(t.ones(2, 3))


def saved_by_an_optimiser_step(t: Any) -> Any:
    w = weights(t)
    z = (w * w).sum()
    z.backward(retain_graph=True)
    with t.no_grad():
        w -= 0.1 * w.grad
    z.backward()


REFUSALS = [
    data_by_index, data_by_operator, leaf_by_index, leaf_by_operator, detached_alias, alias_by_method, a_view,
    a_transpose, own_result, own_result_by_index, twice, shared_twice, leaf, leaf_method, leaf_index, leaf_view,
    leaf_view_of_view, expanded, numpy_of_a_weight, plotted, dtype_changes, shape_changes,
    saved_by_an_optimiser_step,
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.__name__)
def test_both_refuse(case: Case) -> None:
    with pytest.raises(RuntimeError):
        case(torch)
    with pytest.raises(REFUSED) as caught:
        case(ours)
    assert "\n" not in str(caught.value)


def test_the_message_says_which_tensor_and_what_to_do() -> None:
    x, w = ours.Tensor([1.0, 2.0], label="x"), ours.Tensor([3.0, 4.0], label="w", requires_grad=True)
    z = (x * w).sum()
    x[0] = 5.0
    with pytest.raises(
        GraphError, match=r"MulBackward0 .* input 1, 'x', a tensor of shape \(2,\), was changed in place"
    ):
        z.backward()
    assert w.grad is None
    with pytest.raises(GraphError, match=r"Compute the loss again, or call backward\(retain_graph=True\)"):
        twice(ours)


# -- what is allowed gives the same numbers ----------------------------------------------------------------------------


def summed(t: Any, w: Any) -> Any:
    h = w * 2
    h += 1
    h -= w
    h.mul_(3).add_(w, alpha=2)
    return h


def a_part(t: Any, w: Any) -> Any:
    h = w * 2
    early = h * 3
    h[1:] = w[:2] * w[1:]
    return h * 5 + early


def filled(t: Any, w: Any) -> Any:
    out = t.zeros(3, 3)
    for i in range(3):
        out[i, i] = w[i] ** 2
        out[i, 0] = w.sum()
    return out


def through_a_view(t: Any, w: Any) -> Any:
    h = (w * 2).view(1, 3)
    early = h + 1
    row = h[0]
    row += w
    h.T[2].zero_()
    return h * early


def masked(t: Any, w: Any) -> Any:
    h = w.view(1, 3) * t.ones(2, 3)
    h.masked_fill_(t.tensor([[True, False, False], [False, False, True]]), -1.0)
    h.clamp_(-1, 1.7)
    return h


def copied(t: Any, w: Any) -> Any:
    h = t.zeros(2, 3, dtype=t.float64)
    h.copy_(w)
    h[:, 1] *= 2
    return h


def scattered(t: Any, w: Any) -> Any:
    h = (w * 2).scatter_add_(0, t.tensor([0, 0, 2]), w * w)
    return h.scatter_(0, t.tensor([1]), 7.0)


def weight_not_needed(t: Any, w: Any) -> Any:
    y = w * three(t)
    with t.no_grad():
        w.mul_(2)  # the gradient of w needs the other factor only
    return y


def unneeded_sum(t: Any, w: Any) -> Any:
    x = three(t)
    y = w + x
    x.zero_()
    return y


def data_is_not_watched(t: Any, w: Any) -> Any:
    y = w * w
    w.data += 1.0
    return y


def shapes(t: Any, w: Any) -> Any:
    h = w * 2
    h.unsqueeze_(0)
    return h.squeeze_(0) * w


def a_view_takes_a_history(t: Any, w: Any) -> Any:
    x = t.zeros(2, 3, dtype=t.float64)
    row = x[0]
    row += w
    x[1] += w * w
    x.T[1].mul_(w[1])
    x.view(6)[5:] *= w[:1]
    return x


def twice_through_one_view(t: Any, w: Any) -> Any:
    h = w * 2
    part = h[1:]
    part += 1
    part *= w[:2]
    return h


def factor_of_itself(t: Any, w: Any) -> Any:
    h = w * 1.0
    h *= w
    h /= w.exp()
    return h


def retained(t: Any, w: Any) -> Any:
    y = (w * w).sum()
    y.backward(retain_graph=True)
    return y


def sums_twice(t: Any, w: Any) -> Any:
    y = (w + 1).sum()
    y.backward()
    return y


ALLOWED = [
    a_view_takes_a_history, twice_through_one_view, summed, a_part, filled, through_a_view, masked, copied,
    scattered, weight_not_needed, unneeded_sum, factor_of_itself, data_is_not_watched, shapes, retained, sums_twice,
]  # fmt: skip


@pytest.mark.parametrize("case", ALLOWED, ids=lambda case: case.__name__)
def test_allowed_changes_give_the_same_gradients(case: Callable[[Any, Any], Any]) -> None:
    seen = []
    for t in (ours, torch):
        w = t.tensor([1.25, -0.5, 2.0], dtype=t.float64, requires_grad=True)
        y = case(t, w)
        above = np.random.default_rng(3).normal(size=tuple(y.shape))
        y.backward(t.tensor(above, dtype=y.dtype))
        seen.append((y.detach().numpy(), w.grad.numpy(), repr(y)))
    np.testing.assert_allclose(seen[0][0], seen[1][0], rtol=1e-12)
    np.testing.assert_allclose(seen[0][1], seen[1][1], rtol=1e-12)


def test_a_step_of_an_optimiser_ends_the_graphs_before_it() -> None:
    w = ours.ones(3, requires_grad=True)
    optimiser = ours.optim.AdamW([w], lr=0.1)
    for _ in range(2):
        z = (w * w).sum()
        z.backward(retain_graph=True)
        optimiser.step()
    with pytest.raises(GraphError, match="was changed in place"):
        z.backward()


def test_writes_are_forgotten_with_their_arrays() -> None:
    from backlight.autograd.writes import Writes

    writes = Writes()
    for _ in range(10_000):
        writes.record(np.zeros(2))
    kept = [np.zeros(1) for _ in range(5_000)]
    for array in kept:
        writes.record(array)
    assert all(writes.after(0, array) for array in kept)
    assert len(writes._last) < 10_000
