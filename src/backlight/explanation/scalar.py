"""The explanation of a graph of Values: for each node its value, its gradient, and how the gradient is computed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import add
from typing import Any

from backlight.autograd.number import Value
from backlight.core import DomainError
from backlight.core.arguments import check_whole
from backlight.explanation.names import name_nodes, step_at, step_named, value_expression
from backlight.explanation.numbers import short
from backlight.explanation.picture import MOST_NODES, TIMES, Card, Picture, badge, glow
from backlight.explanation.svg import to_svg
from backlight.explanation.tables import Table
from backlight.explanation.words import Edge, formula, reason

_CAPTION = f"arrow: local derivative;  grad: sum over outgoing arrows of local derivative {TIMES} grad at the tip"

_PRINTED = 200
"""The most nodes in a printed table."""

_TERMS = 8
"""The most terms of a sum in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """The contribution of one path to a node's gradient.

    Attributes:
        through: the index in `Explanation.steps` of the node that the gradient comes from, which uses this node.
        formula: the local derivative in names, such as "1 - o²".
        local: the local derivative.
        above: the gradient of the node that uses this one.
        product: local x above.
        reason: an explanation of the local derivative: a sentence without its full stop.
    """

    through: int
    formula: str
    local: float
    above: float
    product: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class BackwardStep:
    """One node of the backward pass.

    Attributes:
        name: its label, the number of a constant, or v1, v2, ...
        op: the symbol of the op that computed it; "" for an input.
        expression: the expression in names, such as "tanh(n)"; "" for an input.
        data: its value.
        grad: the derivative of the end with respect to it: 1 for the end, else the sum of the contributions' products.
        inputs: the indices of the nodes that it was computed from.
        locals: its local derivative with respect to each input.
        contributions: one for each path by which a gradient arrives, in the order of arrival.
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
    """How each gradient in the graph of a Value is computed: a table when printed, a picture in a notebook.

    Gradients are those of this Value, the end of the graph. `grad` of the nodes is neither read nor written.

    Attributes:
        steps: every node, the end first and each before its inputs: the order of the backward pass.
    """

    steps: tuple[BackwardStep, ...]

    @property
    def end(self) -> BackwardStep:
        """The step of the explained node."""
        return self.steps[0]

    def __getitem__(self, name: str) -> BackwardStep:
        """Return the step of a node by its name; of several, the youngest. Raises GraphError if there is none."""
        return step_named(self.steps, name)

    def gradients(self) -> dict[str, float]:
        """Return the gradient of each named input, oldest first."""
        return {step.name: step.grad for step in reversed(self.steps) if not step.op and not _is_constant(step)}

    def words(self, place: int) -> str:
        """Return how the gradient of one step is computed, in sentences, one on a line.

        Args:
            place: the index of the step in `steps`.
        """
        step = step_at(self.steps, place)
        if not step.contributions:
            return f"{step.name} is the end of the graph. Its derivative with respect to itself is 1."
        lines = [self._sentence(step, path) for path in step.contributions]
        return "\n".join([*lines, self.meeting(place)] if len(lines) > 1 else lines)

    def meeting(self, place: int) -> str:
        """Return a sentence with the sum of the gradients of all paths into a step.

        Args:
            place: the index of the step in `steps`.
        """
        step = self.steps[place]
        count = len(step.contributions)
        products = " + ".join(_factor(path.product) for path in step.contributions[:_TERMS])
        more = " + ..." if count > _TERMS else ""
        return f"The gradients of {count} paths into {step.name} add up: {products}{more} = {short(step.grad)}."

    def _sentence(self, step: BackwardStep, path: Contribution) -> str:
        user = self.steps[path.through]
        return (
            f"{path.reason}. The gradient of {user.name} is {short(path.above)}, "
            f"so {step.name} gets {short(path.local)} x {_factor(path.above)} = {short(path.product)}."
        )

    def table(self, most: int | None = None) -> Table:
        """Return a table with a row for each path into each node, and their sum where there are several.

        Args:
            most: the most nodes, and the most paths into a node, to show; None for all.
        """
        if most is not None:
            check_whole(0, most=most)
        columns = ("node", "value", "formula", "used in", "local derivative", "x grad", "= gradient")
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
        for path in shown:
            names, number = path.formula, short(path.local)
            local = number if names == number else f"{names} = {number}"
            yield (*head, self.steps[path.through].name, local, short(path.above), short(path.product))
            head = ("", "", "")
        if len(shown) < len(step.contributions):
            yield (*head, "", f"... {len(step.contributions) - len(shown):,} more paths", "", "")
        if len(step.contributions) > 1:
            yield (*head, "", f"the sum of {len(step.contributions):,} paths", "", short(step.grad))

    def picture(self, title: str = "", caption: str = _CAPTION) -> Picture:
        """Return the graph as `backlight.figures.graph` draws it, with data and grad in every node.

        Args:
            title: a line above the graph.
            caption: a line below it.
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
        """Return plain values: the name of the end, its value, the gradients of the inputs, and all steps."""
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
    """Return the explanation of a Value: the steps of `Value.backward`, from the youngest node to the oldest.

    Args:
        end: the Value.
        names: names of nodes by `id`, used instead of their labels.
    """
    nodes = end.ancestry()
    places = {id(node): place for place, node in enumerate(nodes)}
    called = name_nodes(nodes, lambda node: names.get(id(node)) or _own_name(node))
    arriving: list[list[Contribution]] = [[] for _ in nodes]
    steps = []
    for place, node in enumerate(nodes):
        # all nodes that use this one are younger and have propagated their gradients already;
        # reduce adds them in the order of the backward pass: from Python 3.12 on, sum() rounds differently
        grad = 1.0 if place == 0 else reduce(add, (path.product for path in arriving[place]), 0.0)
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
    """Return an explanation with the present `grad` of each node.

    Args:
        nodes: all nodes of a graph, youngest first.
    """
    steps = zip(explain_value(nodes[0], {}).steps, nodes, strict=True)
    return Explanation(steps=tuple(replace(step, grad=float(node.grad)) for step, node in steps))


def check_finite(explanation: Explanation) -> None:
    """Check that all values and gradients are finite.

    Raises:
        DomainError: a value or a gradient is infinite or nan; the message names the first one.
    """
    for step in reversed(explanation.steps):
        if not _finite(step.data):
            raise DomainError(f"every value must be finite; {_made(step)} is {step.data}. Use numbers closer to 0.")
    for step in explanation.steps:
        if not _finite(step.grad):
            raise DomainError(
                f"every gradient must be finite; that of {_made(step)}, which is {short(step.data)}, is {step.grad}. "
                "Use other numbers."
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
