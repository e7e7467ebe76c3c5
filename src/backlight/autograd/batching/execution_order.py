"""Group the nodes of one example's graph, so that each group is one call on arrays.

A node's level is one more than the highest level of its parents. Nodes of the same level are therefore independent, and
those with the same op form a group. Nodes that do not depend on the inputs are shared: they are the same for every
example and are computed once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from backlight.autograd.number import Value

_age = attrgetter("_serial")


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """Nodes that are computed in one call.

    Attributes:
        op: their op, as in `Value._op`; "sum" for a sum of more than two nodes.
        nodes: their numbers.
        parents: for each operand of the op, the number of that operand for each of `nodes`.
        shared: whether they are the same for every example.
    """

    op: str
    nodes: list[int]
    parents: list[list[int]]
    shared: bool


@dataclass(frozen=True, slots=True)
class ExecutionOrder:
    """The groups of a graph in the order of computation. Nodes are numbered: leaves, inputs, then computed nodes.

    Attributes:
        leaves: the leaves that are shared by all examples, numbered from 0.
        inputs: how many inputs there are, numbered from len(leaves).
        steps: the groups, in the order of computation.
        outputs: the number of each output node.
    """

    leaves: list[Value]
    inputs: int
    steps: list[NodeGroup]
    outputs: list[int]


def execution_order(inputs: Sequence[Value], outputs: Sequence[Value]) -> ExecutionOrder:
    """Return the groups of the graph of `outputs`, where `inputs` differ from example to example."""
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
    """Return the given nodes and all nodes that they were computed from, oldest first."""
    visited = set(ends)
    pending = list(visited)
    while pending:
        for parent in pending.pop()._prev:
            if parent not in visited:
                visited.add(parent)
                pending.append(parent)
    return sorted(visited, key=_age)


@dataclass(slots=True)
class _Graph:
    """Nodes by number, parents before children. A node without parents is a leaf, an input, or merged into a sum."""

    ops: list[str]
    parents: list[tuple[int, ...]]
    shared: list[bool]

    def add(self, op: str, parents: tuple[int, ...]) -> int:
        """Add a node and return its number.

        A dot product whose weights are shared and whose inputs are not stays one node: it is a row of a matrix product.
        Any other dot product is expanded into products and sums.
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
        """Merge chains of additions into sums: `sum` of n Values has n levels, one sum has one.

        An addition is merged into the next one if nothing else uses it, if it is not in `ends`, and if both are shared
        or neither is.
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
        """Return the groups, level by level."""
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
                [list(operand) for operand in zip(*(self.parents[node] for node in nodes), strict=True)],
                self.shared[nodes[0]],
            )
            for nodes in sorted(groups.values(), key=lambda nodes: levels[nodes[0]])
        ]

    def _kind(self, number: int) -> tuple[object, ...]:
        """Return what two nodes of a level must have in common to belong to the same group."""
        parents = self.parents[number]
        if self.ops[number] == "dot":  # neurons with the same inputs are one matrix product
            return "dot", self.shared[parents[0]], parents[1 + len(parents) // 2 :]
        return self.ops[number], len(parents), tuple(self.shared[parent] for parent in parents)
