"""The way back through Values: each hands its gradient on once all that was made of it have handed in theirs.

A Value knows how many edges lead to it (`_users`). If it is one, its gradient is complete as soon as anything arrives,
and the walk goes on from it at once. If it is more, it waits for as many. Should something outside the graph have used
it too, it waits for what does not come; then the youngest of those that wait is complete, since whatever is made of a
Value is younger, and all younger ones are done.

No set of visited nodes, no sort, and nothing that the garbage collector must look at: each edge is seen once.
"""

from heapq import heappop, heappush
from typing import Any


def hand_back(end: Any) -> None:
    """Take the gradient of a Value that is no leaf back to all that it was made of.

    Leaves add to the gradient that they have; what lies between gets its gradient afresh.
    """
    met: list[Any] = []  # those that wait; as an object of its own it also marks who was met on this walk
    overdue: list[tuple[int, Any]] = []
    node = end
    while node is not None:
        _hand_on([node], met)
        node = _overdue(met, overdue)


def _hand_on(ready: list[Any], met: list[Any]) -> None:
    """Hand the gradients of those that are ready to their parents, until nobody is ready."""
    while ready:
        node = ready.pop()
        while node is not None:  # along first parents, as far as they are ready, without a stop at the list
            grad = node.grad
            parent = node._b
            if parent is None:
                if node._more is not None:
                    _to_many(node, met, ready)
            elif parent._a is None:
                parent.grad += node._by_b * grad
            elif parent._users == 1:
                parent.grad = node._by_b * grad
                ready.append(parent)
            elif _completes(parent, node._by_b * grad, met):
                ready.append(parent)
            parent = node._a
            if parent._a is None:
                parent.grad += node._by_a * grad
                node = None
            elif parent._users == 1:
                parent.grad = node._by_a * grad
                node = parent
            else:
                node = parent if _completes(parent, node._by_a * grad, met) else None


def _completes(node: Any, gradient: float, met: list[Any]) -> bool:
    """Add to the gradient of a node with several users; return whether it was the last that was missing."""
    if node._walk is met:
        node.grad += gradient
        node._waits_for = left = node._waits_for - 1
        return not left
    node._walk = met
    node.grad = gradient
    node._waits_for = left = node._users - 1
    met.append(node)
    return not left


def _to_many(node: Any, met: list[Any], ready: list[Any]) -> None:
    """Hand a gradient to the parents beyond the first."""
    grad = node.grad
    for parent, by in zip(*node._more, strict=True):
        if parent._a is None:
            parent.grad += by * grad
        elif _completes(parent, by * grad, met):
            ready.append(parent)


def _overdue(met: list[Any], overdue: list[tuple[int, Any]]) -> Any:
    """Return the youngest node that waits for what does not come; None if none waits."""
    for node in met:
        if node._waits_for:
            heappush(overdue, (-node._serial, node))
    met.clear()
    while overdue:
        node = heappop(overdue)[1]
        if node._waits_for:
            return node
    return None
