"""Group the nodes of one example's graph, so that each group is one call on arrays.

A node's level is one more than the highest level of its parents. Nodes of the same level are therefore independent, and
those with the same op form a group. Nodes that do not depend on the inputs are shared: they are the same for every
example and are computed once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from backlight.autograd.batching.recording import Recording
from backlight.autograd.number import Value


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """Nodes that are computed in one call.

    Attributes:
        op: their op, as in `Value._op`; "sum" for a sum of more than two nodes.
        nodes: their numbers.
        parents: for each operand of the op, the number of that operand for each of `nodes`.
        shared: whether they are the same for every example.
        by: of a pick, the number of the input that chooses, counted from 0; else -1.
    """

    op: str
    nodes: list[int]
    parents: list[list[int]]
    shared: bool
    by: int


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


def execution_order(recording: Recording) -> ExecutionOrder:
    """Return the groups of a recorded graph, whose inputs differ from example to example."""
    leaves, inputs = len(recording.leaves), recording.inputs
    graph = _Graph(
        ops=[""] * (leaves + inputs),
        parents=[()] * (leaves + inputs),
        shared=[True] * leaves + [False] * inputs,
    )
    numbers = list(range(leaves + inputs))
    parents, start = recording.parents.tolist(), 0
    for op, count, by in zip(recording.ops, recording.counts.tolist(), recording.by.tolist(), strict=True):
        numbers.append(graph.add(op, tuple(numbers[parent] for parent in parents[start : start + count]), by))
        start += count
    ends = [numbers[output] for output in recording.outputs]
    graph.gather_sums(ends)
    return ExecutionOrder(recording.leaves, inputs, graph.steps(), ends)


@dataclass(slots=True)
class _Graph:
    """Nodes by number, parents before children. A node without parents is a leaf, an input, or merged into a sum."""

    ops: list[str]
    parents: list[tuple[int, ...]]
    shared: list[bool]
    by: dict[int, int] = field(default_factory=dict)

    def add(self, op: str, parents: tuple[int, ...], by: int = -1) -> int:
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
        self.shared.append(by < 0 and all(self.shared[parent] for parent in parents))
        if by >= 0:
            self.by[len(self.ops) - 1] = by
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
                self.by.get(nodes[0], -1),
            )
            for nodes in sorted(groups.values(), key=lambda nodes: levels[nodes[0]])
        ]

    def _kind(self, number: int) -> tuple[object, ...]:
        """Return what two nodes of a level must have in common to belong to the same group."""
        parents = self.parents[number]
        if self.ops[number] == "dot":  # neurons with the same inputs are one matrix product
            return "dot", self.shared[parents[0]], parents[1 + len(parents) // 2 :]
        return self.ops[number], self.by.get(number), len(parents), tuple(self.shared[parent] for parent in parents)
