"""Changes in place, in a graph: a tensor that is written to becomes the result of that step, as in PyTorch.

Others may have been computed from the tensor before it was written to. They keep the node as it was: `become` moves it
into a new object, `_before`, and a backward pass first replaces every parent that is younger than its child by what
that parent was then (`resolve`). The memory is written to as well, so views and `detach()`ed tensors see the change.
A backward pass that would need the old numbers is refused (`check`).
"""

from typing import Any, Final, TypeVar

import numpy as np

from backlight.autograd.grad_fn import grad_fn_name
from backlight.autograd.graph import recording
from backlight.autograd.ops.indexing import Index, SetIndex
from backlight.autograd.ops.shape import Permute, Reshape
from backlight.autograd.writes import WRITES, arrays_in, owner_of
from backlight.core import Array, GraphError, ShapeError

T = TypeVar("T", bound=Any)

SPENT: Final[Array] = np.zeros(0)
"""Stands in place of the gradient of a node that a backward pass went through without retain_graph."""

rewritten: Final[list[int]] = []
"""Not empty as soon as any node of any graph has been rewritten in place."""


def check_writable(tensor: Any) -> None:
    """Refuse to write into a leaf that requires a gradient, or into a view of one, while the graph is recorded.

    Raises:
        GraphError: it is one.
    """
    if recording.on and tensor._needs_grad:
        _refuse_leaf(([tensor] + [base for base, *_ in _bases(tensor)])[-1], tensor)


def become(tensor: T, result: Any) -> T:
    """Write a result into a tensor, with its history if it has one, and return the tensor.

    Args:
        tensor: the tensor to change.
        result: what it becomes, computed from it.

    Raises:
        ShapeError: the result has another shape.
        GraphError: its dtype does not fit, or the tensor is a view of a leaf that requires a gradient.
    """
    mine, made = tensor.array, result.array
    if made.shape != mine.shape:
        raise ShapeError(f"a change in place must keep the shape {mine.shape}; the result has {made.shape}.")
    if not np.can_cast(made.dtype, mine.dtype, "same_kind"):
        raise GraphError(
            f"a change in place must keep the dtype {mine.dtype}; the result has {made.dtype}. Call .float() first."
        )
    if not result._needs_grad:
        _put(tensor, ..., made)
        return tensor
    before, bases = _prepared(tensor)
    saved = _apart_from(owner_of(mine), result._saved)  # the step may need what it overwrites
    _put(tensor, ..., made)
    tensor._op, tensor._saved, tensor._settings = result._op, saved, result._settings
    tensor._prev = tuple(before if parent is tensor else parent for parent in result._prev)
    tensor._serial = result._serial
    name = getattr(result, "_grad_name", None)
    if name is not None:
        tensor._grad_name = name
    _pass_on(tensor, bases)
    return tensor


def write(tensor: Any, numbers: Any, index: Any, value: Any) -> None:
    """Assign by index.

    Args:
        tensor: the tensor to change.
        numbers: the new elements.
        index: where, as NumPy takes it.
        value: the tensor that holds the new elements, if they are a tensor's.
    """
    if not (recording.on and (tensor._needs_grad or (value is not None and value._needs_grad))):
        _put(tensor, index, numbers)
        return
    before, bases = _prepared(tensor)
    _put(tensor, index, numbers)
    source = tensor._holding(np.asarray(numbers, tensor.array.dtype)) if value is None else value
    _hold(tensor, SetIndex, (before, before if source is tensor else source), (source.array.shape, index), index=index)
    _pass_on(tensor, bases)


def _apart_from(owner: Array, saved: Any) -> Any:
    """Return what an op saved, with copies of the arrays that are views of this owner's memory."""
    if isinstance(saved, np.ndarray):
        return saved.copy() if owner_of(saved) is owner else saved
    return tuple(_apart_from(owner, part) for part in saved) if isinstance(saved, tuple) else saved


def reshape(tensor: Any, view: Any) -> None:
    """Let a tensor take the shape and the array of a view of it.

    Args:
        tensor: the tensor to change.
        view: the same elements in another shape.
    """
    if view._prev:
        before = _former(tensor)
        tensor._op, tensor._saved, tensor._settings = view._op, view._saved, view._settings
        tensor._prev, tensor._serial = (before,), view._serial
    tensor.array = view.array


def _put(tensor: Any, index: Any, numbers: Any) -> None:
    if not tensor.array.flags.writeable:
        raise GraphError(
            f"an expanded or read-only tensor cannot be changed in place; got {_shown(tensor)}. Call .clone() first."
        )
    tensor.array[index] = numbers
    if not getattr(tensor, "_unwatched", False):
        WRITES.record(tensor.array)


def _hold(tensor: Any, op: Any, parents: tuple[Any, ...], saved: Any, **settings: Any) -> None:
    """Make a tensor the result of an op whose numbers it already holds."""
    tensor._op, tensor._prev, tensor._saved, tensor._settings = op, parents, saved, settings
    tensor._serial = WRITES.tick()
    if hasattr(tensor, "_grad_name"):
        del tensor._grad_name


def _refuse_leaf(base: Any, tensor: Any) -> None:
    if base._needs_grad and not base._prev:
        what = "a leaf that requires a gradient" if base is tensor else "a view of a leaf that requires a gradient"
        raise GraphError(
            f"{what} cannot be changed in place while its graph is recorded; got {_shown(tensor)}. "
            "Change .data, or work under no_grad()."
        )


def _prepared(tensor: Any) -> tuple[Any, list[tuple[Any, Any, Any]]]:
    """Return the node of a tensor as it is before a change with a history, and the tensors that it is a view of."""
    bases = _bases(tensor)
    for base, *_ in bases:
        _refuse_leaf(base, tensor)
    return _former(tensor), bases


def _bases(tensor: Any) -> list[tuple[Any, Any, Any]]:
    """Return the tensors that a tensor is a view of, the nearest first, each with the op and settings of the view."""
    found: list[tuple[Any, Any, Any]] = []
    while True:
        if hasattr(tensor, "_base"):
            if tensor._base is None:
                return found
            base, op, settings = tensor._base
        elif tensor._prev:
            base, op, settings = tensor._prev[0], tensor._op, tensor._settings
        else:
            return found
        if op not in {Index, Reshape, Permute} or owner_of(tensor.array) is not owner_of(base.array):
            return found
        found.append((base, op, settings))
        tensor = base


def _former(tensor: Any) -> Any:
    """Move a tensor's node into a new object, and return it; the tensor can then take another history."""
    before = tensor._holding(tensor.array)
    before._op, before._saved, before._settings = tensor._op, tensor._saved, tensor._settings
    before._prev, before._hooks, before._needs_grad = tensor._prev, tensor._hooks, tensor._needs_grad
    before._serial = tensor._serial
    for name in ("_before", "_grad_name"):
        if hasattr(tensor, name):
            setattr(before, name, getattr(tensor, name))
    if hasattr(tensor, "_grad_name"):
        del tensor._grad_name
    tensor._base = next(iter(_bases(tensor)), None)  # its parents will be others
    tensor._before, tensor._hooks, tensor._needs_grad = before, (), True
    if not rewritten:
        rewritten.append(1)
    return before


def _pass_on(view: Any, bases: list[tuple[Any, Any, Any]]) -> None:
    """Give the tensors that a rewritten tensor is a view of the history of the change."""
    for base, op, settings in bases:
        before = _former(base)
        if op is Index:
            index = settings["index"]
            _hold(base, SetIndex, (before, view), (view.array.shape, index), index=index)
        elif op is Reshape:
            _hold(base, Reshape, (view,), view.array.shape, shape=base.array.shape)
        else:
            order = tuple(int(axis) for axis in np.argsort(settings["order"]))
            _hold(base, Permute, (view,), order, order=order)
        view = base


def resolve(end: Any) -> None:
    """Replace, in all that a tensor was computed from, each parent that was rewritten later by what it was then."""
    visited, pending = {end}, [end]
    while pending:
        node = pending.pop()
        if any(parent._serial > node._serial for parent in node._prev):
            node._prev = tuple(_as_of(parent, node._serial) for parent in node._prev)
        for parent in node._prev:
            if parent not in visited:
                visited.add(parent)
                pending.append(parent)


def _as_of(node: Any, serial: int) -> Any:
    while node._serial > serial:
        node = node._before
    return node


def check(order: list[Any]) -> None:
    """Refuse a backward pass that needs numbers which were written to after they were saved.

    Raises:
        GraphError: it does. The message says which tensor.
    """
    for node in order:
        if not node._prev or node._serial > WRITES.latest:
            continue
        used = node._op.used(node._saved, tuple(parent._needs_grad for parent in node._prev))
        for array in arrays_in(used):
            if WRITES.after(node._serial, array):
                raise GraphError(_changed(node, array))


def _changed(node: Any, array: Array) -> str:
    owner = owner_of(array)
    held = [(f"input {at + 1}", x) for at, x in enumerate(node._prev)] + [("the result", node)]
    which, tensor = next(((which, x) for which, x in held if owner_of(x.array) is owner), ("an index or a mask", None))
    what = which if tensor is None else f"{which}, {_shown(tensor)},"
    return (
        f"backward() needs the numbers that {grad_fn_name(node)} was computed from or gave, but {what} was changed in "
        "place since. Write x = x + y in place of x += y, change a .clone(), or call backward() before the change."
    )


def passed(node: Any) -> str:
    """Return the message for a second backward pass through a node."""
    return (
        f"a backward pass went through this graph before, to {grad_fn_name(node)} of {_shown(node)}. "
        "Compute the loss again, or call backward(retain_graph=True) the first time."
    )


def _shown(tensor: Any) -> str:
    label = f"{tensor.label!r}, " if tensor.label else ""
    name = grad_fn_name(tensor)
    return f"{label}a tensor of shape {tensor.array.shape}" + (f" made by {name}" if name else "")
