"""A graph of Values explained: for each node its number, its gradient, and how that gradient came about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import add
from typing import Any

from backlight.autograd.value import Value
from backlight.core import DomainError
from backlight.core.arguments import check_whole
from backlight.explanation.names import name_nodes, step_at, step_named, value_expression
from backlight.explanation.numbers import short
from backlight.explanation.picture import MOST_NODES, TIMES, Card, Picture, badge, glow
from backlight.explanation.svg import to_svg
from backlight.explanation.tables import Table
from backlight.explanation.words import Edge, formula, reason

_CAPTION = f"arrow: local derivative;  grad: the sum of arrow {TIMES} grad above, over all arrows out"

_PRINTED = 200
"""Nodes that a printed table shows."""

_TERMS = 8
"""Terms of a sum that a sentence spells out."""


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What one path brings to a node's gradient.

    Attributes:
        through: the place, in `Explanation.steps`, of the node that the gradient comes from: one that was made of this.
        formula: the local derivative in names, "1 - o²".
        local: its number.
        above: the gradient of that node.
        product: local x above.
        reason: why the local derivative is what it is: a sentence without its stop.
    """

    through: int
    formula: str
    local: float
    above: float
    product: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class BackwardStep:
    """One node, as the backward pass comes to it.

    Attributes:
        name: its label, a constant's number, or v1, v2, ...
        op: the symbol of the op that made it; "" for what was given.
        expression: how it was made, in names: "tanh(n)"; "" for what was given.
        data: its number.
        grad: the derivative of the end by it: 1 for the end, the sum of the contributions' products for the others.
        inputs: the places of the nodes that it was made of.
        locals: the local derivative by each of these.
        contributions: one for each path by which gradient arrives, in the order of arrival.
    """

    name: str
    op: str
    expression: str
    data: float
    grad: float
    inputs: tuple[int, ...]
    locals: tuple[float, ...]
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """How every gradient behind a Value came about. Printing it gives a table, a notebook draws it.

    The nodes' own `grad` is neither read nor written: what stands here is the derivative of this one end.

    Attributes:
        steps: every node, the end first and each before what it was made of: the order of the backward pass.
    """

    steps: tuple[BackwardStep, ...]

    @property
    def end(self) -> BackwardStep:
        """The node that was explained."""
        return self.steps[0]

    def __getitem__(self, name: str) -> BackwardStep:
        """Return the step of a node by its name; of several, the youngest. Raises GraphError if there is none."""
        return step_named(self.steps, name)

    def gradients(self) -> dict[str, float]:
        """Return the gradient of each node that was given under a name, oldest first."""
        return {step.name: step.grad for step in reversed(self.steps) if not step.op and not _is_constant(step)}

    def words(self, place: int) -> str:
        """Return how one step's gradient came about, in sentences, one on a line.

        Args:
            place: of the step, in `steps`.
        """
        step = step_at(self.steps, place)
        if not step.contributions:
            return f"{step.name} is the end, where the backward pass begins: its derivative by itself is 1."
        lines = [self._sentence(step, one) for one in step.contributions]
        return "\n".join([*lines, self.meeting(place)] if len(lines) > 1 else lines)

    def meeting(self, place: int) -> str:
        """Return the sentence that adds up what arrives at a step by all its paths.

        Args:
            place: of the step, in `steps`.
        """
        step = self.steps[place]
        count = len(step.contributions)
        products = " + ".join(_factor(one.product) for one in step.contributions[:_TERMS])
        more = " + ..." if count > _TERMS else ""
        return f"{count} paths meet in {step.name}, and add up: {products}{more} = {short(step.grad)}."

    def _sentence(self, step: BackwardStep, one: Contribution) -> str:
        above = self.steps[one.through]
        return (
            f"{one.reason}. From {above.name} above comes {short(one.above)}; "
            f"so {step.name} gets {short(one.local)} x {_factor(one.above)} = {short(one.product)}."
        )

    def table(self, most: int | None = None) -> Table:
        """Return one row for each path into each node, and the sum where several meet.

        Args:
            most: of the nodes, and of the paths into a node; all if None.
        """
        if most is not None:
            check_whole(0, most=most)
        columns = ("node", "value", "made of", "used in", "local derivative", "x above", "= gradient")
        rows = [row for step in self.steps[:most] for row in self._rows(step, most)]
        left = len(self.steps) - len(self.steps[:most])
        note = f"... and {left:,} more nodes" if left else ""
        return Table(columns=columns, rows=tuple(rows), text=frozenset({0, 2, 3, 4}), note=note)

    def _rows(self, step: BackwardStep, most: int | None) -> Iterator[tuple[str, ...]]:
        head = (step.name, short(step.data), step.expression)
        if not step.contributions:
            yield (*head, "the end", "", "", short(step.grad))
            return
        shown = step.contributions[:most]
        for one in shown:
            names, number = one.formula, short(one.local)
            local = number if names == number else f"{names} = {number}"
            yield (*head, self.steps[one.through].name, local, short(one.above), short(one.product))
            head = ("", "", "")
        if len(shown) < len(step.contributions):
            yield (*head, "", f"... {len(step.contributions) - len(shown):,} more paths", "", "")
        if len(step.contributions) > 1:
            yield (*head, "", f"the sum of {len(step.contributions):,} paths", "", short(step.grad))

    def picture(self, title: str = "", caption: str = _CAPTION) -> Picture:
        """Return the graph as `backlight.figures.graph` draws it, with data and grad in every node.

        Args:
            title: a line above.
            caption: a line below.
        """
        largest = max((abs(step.grad) for step in self.steps if _finite(step.grad)), default=0.0)
        return Picture(
            cards=tuple(
                Card(
                    title=step.name, op=badge(step.op), lines=(("data", short(step.data)), ("grad", short(step.grad))),
                    kind="end" if place == 0 else "made" if step.op else "given",
                    glow=glow(step.grad, largest),
                )
                for place, step in enumerate(self.steps)
            ),
            arrows=tuple(
                (at, place, f"{TIMES}{short(local)}")
                for place, step in enumerate(self.steps)
                for at, local in zip(step.inputs, step.locals, strict=True)
            ),
            title=title,
            caption=caption,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return plain values: the end, its number, the gradients of what was given, and every step."""
        return {
            "end": self.end.name,
            "value": self.end.data,
            "gradients": self.gradients(),
            "steps": [asdict(step) for step in self.steps],
        }

    def __str__(self) -> str:
        return str(self.table(_PRINTED))

    def _repr_html_(self) -> str:
        drawing = to_svg(self.picture()) if len(self.steps) <= MOST_NODES else ""
        return f"<div>{drawing}{self.table(_PRINTED).to_html()}</div>"


def explain_value(end: Value, names: Mapping[int, str]) -> Explanation:
    """Return how the gradients behind a Value came about: what `Value.backward` does, written down from young to old.

    Args:
        end: the Value.
        names: of nodes that go by another name than their label, by `id`.
    """
    nodes = end.ancestry()
    places = {id(node): place for place, node in enumerate(nodes)}
    called = name_nodes(nodes, lambda node: names.get(id(node)) or _own_name(node))
    arriving: list[list[Contribution]] = [[] for _ in nodes]
    steps = []
    for place, node in enumerate(nodes):
        # everything computed from this node is younger, and has passed on its gradient already;
        # one after the other, as backward does: sum() rounds in another way from Python 3.12 on
        grad = 1.0 if place == 0 else reduce(add, (one.product for one in arriving[place]), 0.0)
        parents = node.edges()
        inputs = tuple(places[id(parent)] for parent, _ in parents)
        slopes = tuple(float(slope) for _, slope in parents)
        operands = [called[at] for at in inputs]
        data = float(node.data)
        for which, (at, local) in enumerate(zip(inputs, slopes, strict=True)):
            edge = Edge(op=node._op, place=which, names=operands, result=called[place], data=data, local=local)
            arriving[at].append(
                Contribution(
                    through=place, formula=formula(edge), local=local, above=grad, product=local * grad,
                    reason=reason(edge),
                )
            )  # fmt: skip
        steps.append(
            BackwardStep(
                name=called[place], op=node._op, expression=value_expression(node._op, operands) if inputs else "",
                data=data, grad=grad, inputs=inputs, locals=slopes, contributions=tuple(arriving[place]),
            )
        )  # fmt: skip
    return Explanation(steps=tuple(steps))


def with_own_gradients(nodes: Sequence[Value]) -> Explanation:
    """Return an explanation in which each node's grad is the one that it holds, whatever passes made it.

    Args:
        nodes: all of a graph's, youngest first.
    """
    steps = zip(explain_value(nodes[0], {}).steps, nodes, strict=True)
    return Explanation(steps=tuple(replace(step, grad=float(node.grad)) for step, node in steps))


def check_finite(explanation: Explanation) -> None:
    """Refuse numbers that have left the range of floats.

    Raises:
        DomainError: a number or a gradient is infinite or nan; the first in the order of computing is named.
    """
    for step in reversed(explanation.steps):
        if not _finite(step.data):
            raise DomainError(f"every number must be finite; {_made(step)} is {step.data}. Take numbers nearer to 0.")
    for step in explanation.steps:
        if not _finite(step.grad):
            raise DomainError(
                f"every gradient must be finite; that of {_made(step)}, which is {short(step.data)}, is {step.grad}. "
                "Take other numbers."
            )


def _made(step: BackwardStep) -> str:
    return f"{step.name} = {step.expression}" if step.expression else step.name


def _finite(number: float) -> bool:
    return number - number == 0


def _own_name(node: Any) -> str:
    return str(node.label) or ("" if node._prev else short(node.data))


def _is_constant(step: BackwardStep) -> bool:
    return step.name == short(step.data)


def _factor(number: float) -> str:
    return f"({short(number)})" if number < 0 else short(number)
