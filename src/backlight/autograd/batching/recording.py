"""The graph of a function of one example, in which an argument may choose an item of a list, as in `table[token]`.

A trace shows one choice: the item for one number. So a function with whole numbers as arguments is traced several
times, with different numbers. The traces must have the same nodes. Where a parent differs, it was chosen, and it must
be the item of a list that was indexed: then the graph gets a node `pick`, whose parents are all items of the list.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.autograd.batching.tracing import Trace, TracedChoice, trace
from backlight.autograd.graph import age
from backlight.autograd.number import Value
from backlight.autograd.value_native import compiled
from backlight.core import GraphError, IntArray

PICK = "pick"
"""The op of a node that is one of its parents: that with the number of an input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """The graph of one example. Nodes are numbered: leaves, inputs, then computed nodes, parents before children.

    Attributes:
        leaves: the leaves that are shared by all examples.
        inputs: how many inputs there are.
        ops: the op of each computed node.
        counts: (computed nodes,) how many parents each has.
        parents: (sum of counts,) the parents of all computed nodes.
        by: (computed nodes,) for a pick, the number of the input, counted from 0, that chooses; else -1.
        outputs: the number of each output node.
        single: whether the function returned one Value rather than a sequence.
    """

    leaves: list[Value]
    inputs: int
    ops: list[str]
    counts: IntArray
    parents: IntArray
    by: IntArray
    outputs: list[int]
    single: bool


def record(function: Callable[..., Any], shapes: Sequence[tuple[int, ...]], picked: Sequence[int | None]) -> Recording:
    """Trace a function and return its graph.

    Args:
        function: takes one example, made of Values, and returns a Value or a sequence of Values.
        shapes: the shape of each argument.
        picked: for each Value of the arguments, the whole number that it is in some example; None if it is not whole.

    Raises:
        GraphError: the function uses the data of an argument, does not return Values, or does not build the same graph
            for all numbers.
    """
    made = trace(function, shapes, picked)
    if not made.choices:
        return _merged([_TracedGraph(made)])
    for last in (False, True):
        graphs = [_TracedGraph(made), *(_TracedGraph(trace(function, shapes, other)) for other in _variations(made))]
        try:
            return _merged(graphs)
        except _UnequalError as error:
            if last:
                raise GraphError(
                    f"a batched function must do the same for every example; this one {error}. Choose with "
                    "table[index] only, and draw no random numbers."
                ) from None
            made = trace(function, shapes, picked)  # the first call may have made Values that it keeps
    raise AssertionError


class _UnequalError(Exception):
    """Two traces of a function have different graphs."""


def _variations(made: Trace) -> list[list[int | None]]:
    """Return other numbers for the inputs that choose: all differ from the first, and no two inputs have equal ones."""
    sizes: dict[int, int] = {}
    for choice in made.choices:
        sizes[choice.by] = min(sizes.get(choice.by, len(choice.items)), len(choice.items))
    base = max(2, min(sizes.values()))
    digits = 1
    while base**digits < len(made.picked):
        digits += 1
    first = [number if number is None else (number + 1) % sizes.get(i, 1) for i, number in enumerate(made.picked)]
    return [first] + [
        [
            number if number is None else i // base**digit % base % sizes.get(i, 1)
            for i, number in enumerate(made.picked)
        ]
        for digit in range(digits)
    ]


class _TracedGraph:
    """The nodes of one trace, oldest first, by their places: serial numbers counted from the start of the trace.

    Attributes:
        places, ops, counts: of the nodes that the function made.
        parents: of all nodes; a parent that is older than the trace is -1 - its index in `old`.
        leaves: the nodes without parents.
        old: the older nodes.
    """

    def __init__(self, made: Trace) -> None:
        self.trace = made
        ends = [*made.outputs, *(item for choice in made.choices for item in _flat(choice.items))]
        self.places, self.ops, self.counts, self.parents, self.leaves, self.old = _recorded(ends, made.start)

    def same_as(self, other: "_TracedGraph") -> bool:
        """Return whether the nodes have the same places, ops and numbers of parents."""
        return self.ops == other.ops and all(
            map(np.array_equal, (self.places, self.counts), (other.places, other.counts))
        )

    def place(self, node: Value) -> int:
        """Return the place of a node, negative if it is older than the trace."""
        return node._serial - self.trace.start


def _flat(items: Any) -> list[Value]:
    """Return the Values in nested lists."""
    if isinstance(items, Value):
        return [items]
    return [value for item in items for value in _flat(item)] if isinstance(items, (list, tuple)) else []


def _recorded(
    ends: list[Value], start: int
) -> tuple[IntArray, list[str], IntArray, IntArray, list[Value], list[Value]]:
    """Return the attributes of a `_TracedGraph`: see there."""
    if compiled is not None:
        places, ops, counts, parents, leaves, old = compiled.record(ends, start)
        arrays = [np.frombuffer(array, np.int64) for array in (places, counts, parents)]
        return arrays[0], ops, arrays[1], arrays[2], leaves, old
    seen, pending = {id(end): end for end in ends}, list(ends)
    while pending:
        for parent in pending.pop()._prev:
            if id(parent) not in seen:
                seen[id(parent)] = parent
                pending.append(parent)
    nodes = sorted(seen.values(), key=age)
    old = [node for node in nodes if node._serial < start]
    new = nodes[len(old) :]
    older = {id(node): -1 - i for i, node in enumerate(old)}
    parents = [older.get(id(parent), parent._serial - start) for node in new for parent in node._prev]
    arrays = [np.array(numbers, np.int64) for numbers in (
        [node._serial - start for node in new], [len(node._prev) for node in new], parents
    )]  # fmt: skip
    return arrays[0], [node._op for node in new], arrays[1], arrays[2], [node for node in new if not node._prev], old


def _merged(graphs: list[_TracedGraph]) -> Recording:
    """Return one recording of all traces of a function.

    Raises:
        _UnequalError: they differ in more than the items that were chosen.
    """
    first = graphs[0]
    if not all(map(first.same_as, graphs[1:])):
        raise _UnequalError("computes something else for other numbers")
    old = {id(node): node for graph in graphs for node in graph.old}
    order = {key: -1 - i for i, key in enumerate(old)}
    edges = [_edges(graph, order) for graph in graphs]  # with the same number for the same older node in all traces
    differing = np.flatnonzero(np.any([edges[0] != other for other in edges[1:]] or [edges[0] != edges[0]], axis=0))

    made = _Numbers()
    aged = sorted(old.values(), key=age)
    given = {id(node) for node in first.trace.inputs}
    leaves = [node for node in aged if not node._prev] + [node for node in first.leaves if id(node) not in given]
    for node in (*leaves, *first.trace.inputs):
        made.number[id(node)] = len(made.number)
    for node in aged:
        if node._prev:
            made.add(node, [made.number[id(parent)] for parent in node._prev])
    of_old = np.array([made.number[key] for key in reversed(old)], np.int64)  # at -1 is the first of `old`, and so on

    # the number of each node of the trace: those without parents have theirs, the others follow in their order
    size = 1 + max(
        [first.place(node) for node in (*first.trace.inputs, *first.trace.outputs)] + first.places[-1:].tolist()
    )
    of_place = np.full(size, -1, np.int64)
    for node in (*first.leaves, *first.trace.inputs):
        of_place[first.place(node)] = made.number[id(node)]
    computed = np.flatnonzero(first.counts)
    node_of = np.repeat(np.arange(len(computed)), first.counts[computed])
    finder = _Finder(graphs, order) if len(differing) else None
    picks: dict[tuple[int, tuple[int, ...]], int] = {}
    chosen, before = [], []  # for each slot that differs the pick in it; for each pick the first node that needs it
    for slot in differing.tolist():
        assert finder is not None  # noqa: S101
        key = finder.find([int(edge[slot]) for edge in edges])
        if key not in picks:
            picks[key] = len(picks)
            before.append(int(node_of[slot]))
        chosen.append(picks[key])
    first_computed = len(made.number)
    ranks = np.arange(len(computed)) + np.searchsorted(before, np.arange(len(computed)), side="right")
    of_place[first.places[computed]] = first_computed + ranks
    of_pick = first_computed + np.array(before, np.int64) + np.arange(len(before))

    def numbers_of(places: IntArray) -> IntArray:
        old_ones = of_old[np.minimum(places, -1)] if len(of_old) else -1
        return np.where(places < 0, old_ones, of_place[np.maximum(places, 0)])

    parents = numbers_of(edges[0])
    parents[differing] = of_pick[chosen]
    # insert the picks
    tables = [numbers_of(np.array(items, np.int64)) for _, items in picks]
    counts, ends = first.counts[computed], np.cumsum(first.counts[computed])
    starts = ends - counts
    at = np.array(before, np.int64)
    ops: list[str] = [*made.ops]
    names, place = [first.ops[i] for i in computed.tolist()], 0
    for position in before:
        ops += names[place:position]
        ops.append(PICK)
        place = position
    ops += names[place:]
    own = np.insert(counts, at, [len(table) for table in tables])
    by = np.insert(np.full(len(counts), -1), at, [by for by, _ in picks])
    all_parents = np.insert(
        parents, np.repeat(starts[at], [len(table) for table in tables]) if len(at) else at,
        np.concatenate(tables) if tables else at,
    )  # fmt: skip
    outputs = [
        int(of_place[first.place(node)]) if first.place(node) >= 0 else made.number[id(node)]
        for node in first.trace.outputs
    ]
    return Recording(
        leaves=leaves, inputs=len(first.trace.inputs), ops=ops,
        counts=np.concatenate([np.array(made.counts, np.int64), own]),
        parents=np.concatenate([np.array(made.parents, np.int64), all_parents]),
        by=np.concatenate([np.full(len(made.counts), -1), by]),
        outputs=outputs, single=first.trace.single,
    )  # fmt: skip


def _edges(graph: _TracedGraph, order: dict[int, int]) -> IntArray:
    """Return the parents of all nodes of a graph, with the numbers `order` for older nodes."""
    own = np.array([order[id(node)] for node in graph.old] or [0], np.int64)
    older = graph.parents < 0
    return np.where(older, own[np.where(older, -1 - graph.parents, 0)], graph.parents)


class _Numbers:
    """The numbers of leaves, inputs and of nodes that were computed before the trace."""

    def __init__(self) -> None:
        self.number: dict[int, int] = {}
        self.ops: list[str] = []
        self.counts: list[int] = []
        self.parents: list[int] = []

    def add(self, node: Value, parents: list[int]) -> None:
        """Add a computed node."""
        self.number[id(node)] = len(self.number)
        self.ops.append(node._op)
        self.counts.append(len(parents))
        self.parents += parents


class _Finder:
    """Finds the choice that explains why a parent differs between traces."""

    def __init__(self, graphs: list[_TracedGraph], order: dict[int, int]) -> None:
        self._order = order
        self._columns: dict[tuple[int, ...], tuple[int, tuple[int, ...]] | None] = {}
        if len({len(graph.trace.choices) for graph in graphs}) > 1:
            raise _UnequalError("indexes lists in other places for other numbers")
        for choices in zip(*(graph.trace.choices for graph in graphs), strict=True):
            self._add(graphs, choices)

    def _add(self, graphs: list[_TracedGraph], choices: tuple[TracedChoice, ...]) -> None:
        by = choices[0].by
        tables = [
            [[self._place(graph, value) for value in _flat(item)] for item in choice.items]
            for graph, choice in zip(graphs, choices, strict=True)
        ]
        if any(choice.by != by for choice in choices) or any(table != tables[0] for table in tables[1:]):
            raise _UnequalError("indexes other lists for other numbers")
        chosen = [tables[0][graph.trace.picked[by]] for graph in graphs]  # type: ignore[index]
        for path in range(min(map(len, tables[0]))):
            seen = tuple(row[path] for row in chosen)
            column = by, tuple(row[path] for row in tables[0])
            if self._columns.setdefault(seen, column) != column:
                self._columns[seen] = None

    def _place(self, graph: _TracedGraph, node: Value) -> int:
        place = graph.place(node)
        return place if place >= 0 else self._order[id(node)]

    def find(self, seen: list[int]) -> tuple[int, tuple[int, ...]]:
        """Return the input that chooses, and the items of its list, for the parents seen in the traces."""
        key = tuple(seen)
        if key not in self._columns:
            raise _UnequalError("uses an argument as something other than an index")
        column = self._columns[key]
        if column is None:
            raise _UnequalError("indexes two lists that have some items in common")
        return column
