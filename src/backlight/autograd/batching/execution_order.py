"""From the graph of one example to an order of work in which each piece does many nodes at once.

A node's level is one more than the highest level of its parents, so nodes of one level do not need each other: those
with the same op are one call on arrays. What does not depend on the inputs is the same for every example and is
computed once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from backlight.autograd.value import Value

_age = attrgetter("_serial")


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """Nodes to be computed in one go.

    Attributes:
        op: what each of them does, as `Value._op`; "sum" for a sum of more than two.
        nodes: which ones.
        parents: for each place in the formula, the nodes that stand there, as many as `nodes`.
        shared: whether they are the same for every example.
    """

    op: str
    nodes: list[int]
    parents: list[list[int]]
    shared: bool


@dataclass(frozen=True, slots=True)
class ExecutionOrder:
    """All nodes by number, and what to do with them in which order.

    Attributes:
        leaves: the Values that are shared by all examples and made of nothing, numbered from 0.
        inputs: how many unknown numbers there are; their numbers follow.
        steps: in the order of work.
        outputs: the number of each output.
    """

    leaves: list[Value]
    inputs: int
    steps: list[NodeGroup]
    outputs: list[int]


def execution_order(inputs: Sequence[Value], outputs: Sequence[Value]) -> ExecutionOrder:
    """Arrange what `outputs` were made of, where `inputs` differ from example to example."""
    given = set(inputs)
    nodes = [node for node in _ancestry(outputs) if node not in given]
    leaves = [node for node in nodes if not node._prev]
    graph = _Graph(
        ops=[""] * (len(leaves) + len(inputs)),
        parents=[()] * (len(leaves) + len(inputs)),
        shared=[True] * len(leaves) + [False] * len(inputs),
    )
    numbers = {node: number for number, node in enumerate((*leaves, *inputs))}
    for node in nodes:
        if node._prev:
            numbers[node] = graph.add(node._op, tuple(numbers[parent] for parent in node._prev))
    ends = [numbers[output] for output in outputs]
    graph.gather_sums(ends)
    return ExecutionOrder(leaves, len(inputs), graph.steps(), ends)


def _ancestry(ends: Sequence[Value]) -> list[Value]:
    seen = set(ends)
    unread = list(seen)
    while unread:
        for parent in unread.pop()._prev:
            if parent not in seen:
                seen.add(parent)
                unread.append(parent)
    return sorted(seen, key=_age)


@dataclass(slots=True)
class _Graph:
    """Nodes by number, parents before children. A node without parents is given, or has become part of a sum."""

    ops: list[str]
    parents: list[tuple[int, ...]]
    shared: list[bool]

    def add(self, op: str, parents: tuple[int, ...]) -> int:
        """Add a node and return its number.

        A dot product stays one if its weights are shared and its inputs are not: then it is a row of a product of
        matrices. Otherwise it is written out.
        """
        if op == "dot":
            bias, *factors = parents
            count = len(factors) // 2
            weights, inputs = factors[:count], factors[count:]
            if not all(self.shared[w] and not self.shared[x] for w, x in zip(weights, inputs, strict=True)):
                total = bias
                for pair in zip(weights, inputs, strict=True):
                    total = self.add("+", (total, self.add("*", pair)))
                return total
        self.ops.append(op)
        self.parents.append(parents)
        self.shared.append(all(self.shared[parent] for parent in parents))
        return len(self.ops) - 1

    def gather_sums(self, ends: Sequence[int]) -> None:
        """Make one sum of additions that only lead to each other: `sum` of n Values is n levels deep, and need not be.

        An addition is taken into the next one if nothing else uses it, `ends` least of all, and if both are shared or
        both are not.
        """
        users = [0] * len(self.ops)
        for parents in self.parents:
            for parent in parents:
                users[parent] += 1
        for end in ends:
            users[end] += 2
        terms: dict[int, list[int]] = {}
        for number, op in enumerate(self.ops):
            if op != "+":
                continue
            gathered: list[int] = []
            for parent in self.parents[number]:
                own = terms.get(parent)
                if own is None or users[parent] > 1 or self.shared[parent] != self.shared[number]:
                    gathered.append(parent)
                else:
                    del terms[parent]
                    self.parents[parent] = ()
                    gathered, shorter = (own, gathered) if len(own) > len(gathered) else (gathered, own)
                    gathered += shorter
            terms[number] = gathered
        for number, gathered in terms.items():
            if len(gathered) > 2:
                self.ops[number], self.parents[number] = "sum", tuple(gathered)

    def steps(self) -> list[NodeGroup]:
        """Return the nodes level by level, those that can be computed in one go together."""
        levels = [0] * len(self.ops)
        groups: dict[object, list[int]] = defaultdict(list)
        for number, parents in enumerate(self.parents):
            if parents:
                levels[number] = 1 + max(levels[parent] for parent in parents)
                groups[levels[number], *self._kind(number)].append(number)
        return [
            NodeGroup(
                self.ops[nodes[0]],
                nodes,
                [list(place) for place in zip(*(self.parents[node] for node in nodes), strict=True)],
                self.shared[nodes[0]],
            )
            for nodes in sorted(groups.values(), key=lambda nodes: levels[nodes[0]])
        ]

    def _kind(self, number: int) -> tuple[object, ...]:
        """Return what two nodes of a level must have in common to be computed in one go."""
        parents = self.parents[number]
        if self.ops[number] == "dot":  # neurons on the same inputs are one product of matrices
            return "dot", self.shared[parents[0]], parents[1 + len(parents) // 2 :]
        return self.ops[number], len(parents), tuple(self.shared[parent] for parent in parents)
