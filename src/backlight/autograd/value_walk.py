"""The way back through Values: each hands its gradient on once all that was made of it have handed in theirs.

A Value knows how many edges lead to it (`_users`). If it is one, its gradient is complete as soon as anything arrives,
and the walk goes on from it at once. If it is more, it waits for as many. Should something outside the graph have used
it too, it waits for what does not come; then the youngest of those that wait is complete, since whatever is made of a
Value is younger, and all younger ones are done. Between walks nobody waits: `_waits_for` is 0 everywhere.

No set of visited nodes, no sort, and nothing that the garbage collector must look at: each edge is seen once.
"""

from heapq import heappop, heappush
from typing import Any


def hand_back(end: Any) -> None:
    """Take the gradient of a Value that is no leaf back to all that it was made of.

    Leaves add to the gradient that they have; what lies between gets its gradient afresh.
    """
    met: list[Any] = []  # those with several users
    overdue: list[tuple[int, int, Any]] = []
    node = end
    try:
        while node is not None:
            _hand_on([node], met)
            node = _overdue(met, overdue)
    except BaseException:  # stopped by Ctrl-C, say: nobody may seem to wait when the next walk comes
        for waiting in (*met, *(node for *_, node in overdue)):
            waiting._waits_for = 0
        raise


def _hand_on(ready: list[Any], met: list[Any]) -> None:  # noqa: C901  (the hot loop of every walk)
    """Hand the gradients of those that are ready to their parents, until nobody is ready.

    The two parents' branches are the same lines but for where the walk goes on; a call for each would take half as long
    again, which is what most of them cost in all.
    """
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
            elif waits_for := parent._waits_for:
                parent.grad += node._by_b * grad
                parent._waits_for = waits_for - 1
                if waits_for == 1:
                    ready.append(parent)
            else:
                parent.grad = node._by_b * grad
                parent._waits_for = parent._users - 1
                met.append(parent)
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
                met.append(parent)
                node = None


def _to_many(node: Any, met: list[Any], ready: list[Any]) -> None:
    """Hand a gradient to the parents beyond the first."""
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
            met.append(parent)
        if not parent._waits_for:
            ready.append(parent)


def _overdue(met: list[Any], overdue: list[tuple[int, int, Any]]) -> Any:
    """Return the youngest node that waits for what does not come; None if none waits."""
    for node in met:
        if node._waits_for:
            heappush(overdue, (-node._serial, id(node), node))
    met.clear()
    while overdue:
        node = heappop(overdue)[2]
        if node._waits_for:
            node._waits_for = 0
            return node
    return None
