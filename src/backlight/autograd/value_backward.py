"""The backward pass through `Value`s: `PlainValue.backward` without recursion, sets or sorting.

A Value counts the edges that lead to it (`_users`). With one user, its gradient is complete as soon as anything
arrives, and the pass continues from it at once. With more, it waits until all have arrived. If something outside the
graph has used it too, it waits for what never arrives; then the youngest of the waiting nodes is complete, since
whatever is computed from a Value is younger than it, and all younger ones are done. Between passes nothing waits:
`_waits_for` is 0 everywhere.

Each edge is visited once, and nothing is allocated for a node that the garbage collector would have to look at.
"""

from heapq import heappop, heappush
from typing import Any


def backward_from(end: Any) -> None:
    """Set the gradients of all Values that `end` was computed from; `end` is not a leaf and has its own gradient.

    Leaves add to the gradient that they have; the other nodes get a new one.
    """
    waiting: list[Any] = []  # nodes with several users, of which not all have arrived
    overdue: list[tuple[int, int, Any]] = []
    node = end
    try:
        while node is not None:
            _propagate([node], waiting)
            node = _overdue(waiting, overdue)
    except BaseException:  # stopped by Ctrl-C, say: nothing may seem to wait when the next pass begins
        for left in (*waiting, *(node for *_, node in overdue)):
            left._waits_for = 0
        raise


def _propagate(ready: list[Any], waiting: list[Any]) -> None:  # noqa: C901  (the hot loop of every backward pass)
    """Add each complete node's gradient times the local derivative to its parents, until no node is complete.

    A parent is one of four: a leaf, which adds; a node with a single user, which is complete; a node that waits, which
    adds and may be complete; a node with several users that is met for the first time. The branches for the two parents
    differ only in where the pass continues. A function call for each would make the whole pass take 1.5 times as long.
    """
    while ready:
        node = ready.pop()
        while node is not None:  # along first parents as far as they are complete, without going through the list
            grad = node.grad
            parent = node._b
            if parent is None:
                if node._more is not None:
                    _to_many(node, waiting, ready)
            elif parent._a is None:
                parent.grad += node._by_b * grad
            elif parent._users == 1:
                parent.grad = node._by_b * grad
                ready.append(parent)
            elif waits_for := parent._waits_for:
                parent.grad += node._by_b * grad
                parent._waits_for = waits_for - 1
                if waits_for == 1:
                    ready.append(parent)
            else:
                parent.grad = node._by_b * grad
                parent._waits_for = parent._users - 1
                waiting.append(parent)
            parent = node._a
            if parent._a is None:
                parent.grad += node._by_a * grad
                node = None
            elif parent._users == 1:
                parent.grad = node._by_a * grad
                node = parent
            elif waits_for := parent._waits_for:
                parent.grad += node._by_a * grad
                parent._waits_for = waits_for - 1
                node = parent if waits_for == 1 else None
            else:
                parent.grad = node._by_a * grad
                parent._waits_for = parent._users - 1
                waiting.append(parent)
                node = None


def _to_many(node: Any, waiting: list[Any], ready: list[Any]) -> None:
    """Do the same for the parents of a dot product after its first."""
    grad = node.grad
    for parent, by in zip(*node._more, strict=True):
        if parent._a is None:
            parent.grad += by * grad
            continue
        if parent._waits_for:
            parent.grad += by * grad
            parent._waits_for -= 1
        else:
            parent.grad = by * grad
            parent._waits_for = parent._users - 1
            waiting.append(parent)
        if not parent._waits_for:
            ready.append(parent)


def _overdue(waiting: list[Any], overdue: list[tuple[int, int, Any]]) -> Any:
    """Return the youngest node that waits for what never arrives; None if none waits."""
    for node in waiting:
        if node._waits_for:
            heappush(overdue, (-node._serial, id(node), node))
    waiting.clear()
    while overdue:
        node = heappop(overdue)[2]
        if node._waits_for:
            node._waits_for = 0
            return node
    return None
