"""A graph of tensors explained: for each op its formula, its shapes, and how much gradient passes through it."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from backlight.autograd.tensor import Parameter, Tensor
from backlight.core import Array, GraphError, ShapeError
from backlight.core.arguments import check_whole
from backlight.explanation.names import name_nodes, step_at, step_named
from backlight.explanation.numbers import shape, short
from backlight.explanation.picture import MOST_NODES, Card, Picture, glow
from backlight.explanation.picture import Kind as CardKind
from backlight.explanation.svg import to_svg
from backlight.explanation.tables import Table

Kind = Literal["op", "parameter", "given"]


@dataclass(frozen=True, kw_only=True)
class TensorContribution:
    """What one path brings to a tensor's gradient.

    Attributes:
        through: the place, in `TensorExplanation.steps`, of the tensor that the gradient comes from.
        norm: of what this path brings; the gradient is the sum of the arrays, not of their norms.
    """

    through: int
    norm: float


@dataclass(frozen=True, kw_only=True)
class TensorStep:
    """One tensor, as the backward pass comes to it.

    Attributes:
        name: a parameter's name in its model, a label, or v1, v2, ...
        kind: "op" for what was computed; "parameter" for what is learnt; "given" for other inputs.
        op: the name of the op that made it; "" for what was given.
        formula: the op's, forward and backward; "" for what was given.
        about: what the op does, in words; "" for what was given.
        shape: of the tensor, and of its gradient.
        dtype: its kind of number.
        value_norm: √Σx² over all of its numbers.
        grad_norm: the same of the derivative of the end by it; None where no gradient goes.
        inputs: the places of the tensors that it was made of.
        input_shapes: theirs.
        contributions: one for each path by which gradient arrives, in the order of arrival.
    """

    name: str
    kind: Kind
    op: str
    formula: str
    about: str
    shape: tuple[int, ...]
    dtype: str
    value_norm: float
    grad_norm: float | None
    inputs: tuple[int, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    contributions: tuple[TensorContribution, ...]


@dataclass(frozen=True, kw_only=True)
class TensorExplanation:
    """What every op behind a tensor computes, and how much gradient passes through it.

    The tensors' own `grad` is neither read nor written: what stands here is the derivative of this one end.

    Attributes:
        steps: every tensor, the end first and each before what it was made of: the order of the backward pass.
    """

    steps: tuple[TensorStep, ...]

    @property
    def end(self) -> TensorStep:
        """The tensor that was explained."""
        return self.steps[0]

    def __getitem__(self, name: str) -> TensorStep:
        """Return the step of a tensor by its name; of several, the youngest. Raises GraphError if there is none."""
        return step_named(self.steps, name)

    def words(self, place: int) -> str:
        """Return what one step does and where its gradient came from, in lines.

        Args:
            place: of the step, in `steps`.
        """
        step = step_at(self.steps, place)
        lines = [f"{step.name} is {'what is learnt' if step.kind == 'parameter' else 'given'}, {shape(step.shape)}."]
        if step.kind == "op":
            of = ", ".join(f"{self.steps[at].name} {shape(self.steps[at].shape)}" for at in step.inputs)
            lines = [f"{step.op} makes {shape(step.shape)} of {of}.", step.about]
            lines += [part.strip() for part in step.formula.split(";")]
        if place == 0:
            return "\n".join([*lines, f"{step.name} is the end, where the backward pass begins."])
        arrived = [f"{short(one.norm)} from {self.steps[one.through].name}" for one in step.contributions]
        if not arrived:
            lines.append("It needs no gradient, and gets none.")
        elif len(arrived) == 1:
            lines.append(f"A gradient of norm {arrived[0]} arrives.")
        else:
            total = short(step.grad_norm or 0.0)
            lines.append(f"Gradients of norm {', '.join(arrived)} arrive and add up, to one of norm {total}.")
        return "\n".join(lines)

    def table(self, most: int | None = None) -> Table:
        """Return one row for each op in the order of computing, what it was given beneath the op that first took it.

        Args:
            most: rows to show; all if None.
        """
        if most is not None:
            check_whole(0, most=most)
        rows = list(self._rows())
        note = "" if most is None or len(rows) <= most else f"... and {len(rows) - most:,} more rows"
        columns = ("", "op", "shape", "|value|", "|gradient|")
        return Table(columns=columns, rows=tuple(rows[:most]), text=frozenset({0, 1, 2}), note=note)

    def _rows(self) -> Iterator[tuple[str, ...]]:
        listed: set[int] = set()
        for place in range(len(self.steps) - 1, -1, -1):
            step = self.steps[place]
            if step.kind != "op" and place:
                continue
            known = [self.steps[at].name for at in step.inputs if self.steps[at].kind == "op" or at in listed]
            made = f"{step.op} of {', '.join(known)}" if known else step.op
            yield (step.name, made, *_figures(step))
            for at in dict.fromkeys(step.inputs):
                if self.steps[at].kind != "op" and at not in listed:
                    listed.add(at)
                    given = " (given)" if self.steps[at].kind == "given" else ""
                    yield ("", f"  {self.steps[at].name}{given}", *_figures(self.steps[at]))

    def picture(self, title: str = "") -> Picture:
        """Return the graph as `backlight.figures.graph` draws it, with shapes and norms in every node.

        Args:
            title: a line above.
        """
        return picture_of(self.steps, title)

    def formulas(self) -> dict[str, str]:
        """Return the formula of each kind of op in the graph, in the order of first use."""
        return {step.op: step.formula for step in reversed(self.steps) if step.op}

    def to_json(self) -> dict[str, Any]:
        """Return plain values: the end, and every step in the order of the backward pass."""
        return {"end": self.end.name, "steps": [asdict(step) for step in self.steps]}

    def __str__(self) -> str:
        width = max(map(len, self.formulas()), default=0)
        formulas = "\n".join(f"{op.ljust(width)}  {formula}" for op, formula in self.formulas().items())
        return f"{self.table()}\n\n{formulas}" if formulas else str(self.table())

    def _repr_html_(self) -> str:
        drawing = to_svg(self.picture()) if len(self.steps) <= MOST_NODES else ""
        formulas = Table(columns=("op", "formula"), rows=tuple(self.formulas().items()), text=frozenset({0, 1}))
        return f"<div>{drawing}{self.table().to_html()}{formulas.to_html()}</div>"


def explain_tensor(end: Tensor, names: Mapping[int, str], gradient: Array | None = None) -> TensorExplanation:
    """Return what every op behind a tensor computes; the walk of `Tensor.backward`, on arrays of its own.

    Args:
        end: the tensor.
        names: of tensors that go by another name than their label, by `id`.
        gradient: the gradient from above, in the end's shape; None for the 1 of a single number.

    Raises:
        GraphError: the tensor is not one number and there is no gradient, or no gradient can pass.
        ShapeError: the gradient has another shape.
    """
    if gradient is None and end.array.size != 1:
        raise GraphError(
            f"an explanation starts from one number; got a tensor of shape {end.shape}. "
            "Call .sum() or .mean() first, or pass the gradient from above."
        )
    if gradient is not None and gradient.shape != end.shape:
        raise ShapeError(f"a gradient has its tensor's shape, {end.shape}; got {gradient.shape}.")
    nodes = end.ancestry()
    places = {id(node): place for place, node in enumerate(nodes)}
    called = name_nodes(nodes, lambda node: names.get(id(node)) or str(node.label))
    above: dict[int, Array] = {0: np.ones_like(end.array) if gradient is None else gradient}
    arriving: list[list[TensorContribution]] = [[] for _ in nodes]
    steps = []
    for place, node in enumerate(nodes):
        total = above.pop(place, None) if node.requires_grad or place == 0 else None
        inputs = tuple(places[id(parent)] for parent in node._prev)
        if inputs and total is not None:
            for at, brought in zip(inputs, _backward(node, total), strict=True):
                if nodes[at].requires_grad:
                    own = brought.astype(nodes[at].array.dtype, copy=False)
                    above[at] = above[at] + own if at in above else own
                    arriving[at].append(TensorContribution(through=place, norm=norm(brought)))
        found = None if total is None else norm(total)
        steps.append(_step(node, called[place], inputs, [nodes[at] for at in inputs], found, arriving[place]))
    return TensorExplanation(steps=tuple(steps))


def steps_of(nodes: Sequence[Tensor]) -> list[TensorStep]:
    """Return steps without a backward pass: gradients are those that the tensors hold, or None.

    Args:
        nodes: youngest first.
    """
    places = {id(node): place for place, node in enumerate(nodes)}
    called = name_nodes(nodes, lambda node: str(node.label))
    return [
        _step(
            node, name, tuple(places[id(parent)] for parent in node._prev), node._prev,
            None if node.grad is None else norm(node.grad.array), [],
        )
        for node, name in zip(nodes, called, strict=True)
    ]  # fmt: skip


def _step(
    node: Tensor, name: str, inputs: tuple[int, ...], parents: Sequence[Tensor], grad_norm: float | None,
    contributions: Sequence[TensorContribution],
) -> TensorStep:  # fmt: skip
    op = node._op
    return TensorStep(
        name=name, kind=_kind(node), op=op.name if op else "", formula=op.formula if op else "", about=_about(node),
        shape=node.array.shape, dtype=str(node.array.dtype), value_norm=norm(node.array), grad_norm=grad_norm,
        inputs=inputs, input_shapes=tuple(parent.array.shape for parent in parents),
        contributions=tuple(contributions),
    )  # fmt: skip


def picture_of(steps: Sequence[TensorStep], title: str = "") -> Picture:
    """Return steps as a picture; where there are gradients, each node is lit by the norm of its own.

    Args:
        steps: the end first.
        title: a line above.
    """
    norms = [step.grad_norm for step in steps if step.grad_norm is not None]
    largest = max((one for one in norms if math.isfinite(one)), default=0.0)
    cards, arrows = [], []
    for place, step in enumerate(steps):
        lines = [("shape", shape(step.shape)), ("|value|", short(step.value_norm))]
        if step.grad_norm is not None:
            lines.append(("|grad|", short(step.grad_norm)))
        kind: CardKind = "end" if place == 0 else "made" if step.op else "given"
        shine = glow(step.grad_norm or 0.0, largest)
        cards.append(Card(title=step.name, op=step.op, lines=tuple(lines), kind=kind, glow=shine))
        arrows += [(at, place, "") for at in step.inputs]
    caption = "|x| = √Σx²;  blue: what is learnt or given" + (";  lit: by the size of the gradient" if norms else "")
    return Picture(cards=tuple(cards), arrows=tuple(arrows), title=title, caption=caption)


def norm(array: Array) -> float:
    """Return √Σx², computed in float64."""
    return float(np.linalg.norm(array.reshape(-1).astype(np.float64)))


def _backward(node: Tensor, above: Array) -> tuple[Array, ...]:
    """Return what a tensor's op makes of the gradient from above: an array for each of its inputs."""
    if node._op is None:
        raise GraphError(
            "no gradient can pass a tensor that was written to by index: what it was made of is no longer known. "
            "Make it by cat(), stack() or where(), or write to a .detach()ed one."
        )
    return node._op.backward(above, node._saved)


def _kind(node: Tensor) -> Kind:
    if node._prev:
        return "op"
    return "parameter" if isinstance(node, Parameter) or node.requires_grad else "given"


def _about(node: Tensor) -> str:
    """Return the first paragraph of what is written about the node's op, on one line."""
    text = inspect.getdoc(node._op) if node._op else None
    return " ".join((text or "").partition("\n\n")[0].split())


def _figures(step: TensorStep) -> tuple[str, str, str]:
    return shape(step.shape), short(step.value_norm), "" if step.grad_norm is None else short(step.grad_norm)
