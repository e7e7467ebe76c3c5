"""Which operation makes a number that is not finite out of finite ones, in PyTorch's forward and backward passes."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from backlight.watch.adapter import Operation
from backlight.watch.calls import Call
from backlight.watch.graph import MOST_NODES
from backlight.watch.torch_nn.graph import OP_NAMES, op_name
from backlight.watch.torch_nn.plain import tensors_in, why_not_measured

_FILLS: Final = frozenset({
    "masked_fill", "masked_fill_", "fill", "fill_", "full", "full_like", "new_full", "where", "scalar_tensor", "copy_",
    "clone", "_to_copy", "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "lift_fresh",
    "index_put", "index_put_", "masked_scatter", "triu", "tril",
})  # fmt: skip
"""Operations that write infinity because they were told to, as a mask does, or show memory that is not filled yet."""

_SAVED: Final = ("_saved_result", "_saved_self", "_saved_other")


class OperationWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Looks at every operation while it is on.

    Args:
        where: returns the name of the layer that was run last.
    """

    def __init__(self, where: Callable[[], str] = str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.where = where
        self._infinite: Operation | None = None  # the first that made infinity, if no NaN came of it
        self._found: Operation | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operation and look at what it made."""
        del types
        given = kwargs or {}
        out = func(*args, **given)
        if self._found is None:
            self._look(str(func.overloadpacket.__name__), args, given, out)
        return out

    def _look(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        made = list(_numbers(out))
        if name.rstrip("_") in _FILLS or name in _FILLS or all(map(_is_finite, made)):
            return
        read = list(_numbers([*args, *kwargs.values()]))
        told = OP_NAMES.get(name.rstrip("_"), name.rstrip("_"))
        if any(bool(one.isnan().any()) for one in read):
            return  # it only hands on what was broken before
        finite = all(map(_is_finite, read))
        at = _given(told, name, read, args)
        operation = Operation(told, at, self.where())
        if any(bool(one.isnan().any()) for one in made):
            # infinity that another operation made, and not a mask, is the cause
            self._found = operation if finite or at == "masked row" or self._infinite is None else self._infinite
        elif finite and self._infinite is None:
            self._infinite = operation

    def forward(self) -> Operation | None:
        """Return the first operation whose result is not finite; None if all are."""
        return self._found or self._infinite

    def backward(self, result: Any, calls: Sequence[Call]) -> Operation | None:
        """Return the first operation of a backward pass whose gradient is not finite; None if all are."""
        outputs = [one for one in _numbers(result) if one.requires_grad and one.grad_fn is not None]
        found: list[Operation] = []
        handles, leaves = [], []
        for node in _nodes([one.grad_fn for one in outputs]):
            leaf = getattr(node, "variable", None)
            if leaf is None:
                handles.append(node.register_hook(partial(_after, found, node, calls)))
            else:
                leaves.append(leaf)
        try:
            if leaves:
                ones = [torch.ones_like(one) for one in outputs]
                torch.autograd.grad(outputs, leaves, grad_outputs=ones, allow_unused=True)
        finally:
            for handle in handles:
                handle.remove()
        return found[0] if found else None


def _after(found: list[Operation], node: Any, calls: Sequence[Call], made: Any, given: Any) -> None:
    """Look at what a node of the graph made of the gradient that it was given."""
    if found or not all(map(_is_finite, _numbers(given))) or all(map(_is_finite, _numbers(made))):
        return
    name = op_name(node)
    told = OP_NAMES.get(name, name)
    saved = [getattr(node, one, None) for one in _SAVED]
    zero = any(bool((one == 0).any()) for one in _numbers(saved))
    found.append(Operation(told, "zero" if zero else "", _place(node, calls) or f"{_below(node, calls)}>{told}"))


def _place(node: Any, calls: Sequence[Call]) -> str:
    """Return the layer inside of which a node is: between what it read and what it gave; empty if in none."""
    for call in calls:
        top = None if call.tensor is None else call.tensor.grad_fn
        read = {one.grad_fn for one in tensors_in(call.args)} - {top}
        if top is not None and call.args and node in _nodes([top], until=read):
            return call.name
    return ""


def _below(node: Any, calls: Sequence[Call]) -> str:
    """Return the layer whose output comes to a node."""
    names = {call.tensor.grad_fn: call.name for call in calls if call.tensor is not None}
    return next((names[one] for one in _nodes([node]) if one in names), "input")


def _nodes(tops: Sequence[Any], until: Collection[Any] = ()) -> Iterator[Any]:
    """Yield the nodes of a graph, those nearest to the top first, down to where some others begin."""
    unread, seen = deque(tops), {*tops, *until}
    while unread and len(seen) < MOST_NODES:
        node = unread.popleft()
        yield node
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                unread.append(parent)


def _numbers(thing: Any) -> Iterator[torch.Tensor]:
    return (one for one in tensors_in(thing) if why_not_measured(one) is None)


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(tensor.isfinite().all())


def _given(told: str, name: str, read: Sequence[torch.Tensor], args: Any) -> str:
    """Return what an operation was given that it could not make a number of."""
    if not read:
        return ""
    first, last = read[0], read[-1]
    if told == "softmax":
        axis = next((one for one in args[1:] if isinstance(one, int) and not isinstance(one, bool)), -1)
        return "masked row" if bool(first.isneginf().all(axis).any()) else ""
    if told == "div":
        by = first if name.startswith(("rsqrt", "reciprocal")) else last
        return "zero" if bool((by == 0).any()) else ""
    if told in {"log", "sqrt", "pow"}:
        shifted = first + 1 if name.startswith("log1p") else first
        return "negative" if bool((shifted < 0).any()) else "zero" if bool((shifted == 0).any()) else ""
    return "large" if told == "exp" else ""
