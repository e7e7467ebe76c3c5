"""The explanation of a graph of tensors: for each op its formula, its shapes and the norm of the gradient."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from backlight.autograd.op import Op
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
    """The contribution of one path to a tensor's gradient.

    Attributes:
        through: the index in `TensorExplanation.steps` of the tensor that the gradient comes from.
        norm: the norm of the contribution. The gradient is the sum of the arrays, not of their norms.
    """

    through: int
    norm: float


@dataclass(frozen=True, kw_only=True)
class TensorStep:
    """One tensor of the backward pass.

    Attributes:
        name: a parameter's name in its model, a label, or v1, v2, ...
        kind: "op" for a computed tensor, "parameter" for a learnt one, "given" for any other input.
        op: the name of the op that computed it; "" for an input.
        formula: the formula of the op, forward and backward; "" for an input.
        about: what the op does, in words; "" for an input.
        shape: the shape of the tensor and of its gradient.
        dtype: its dtype.
        value_norm: √Σx² over its elements.
        grad_norm: √Σx² over the gradient of the end with respect to it; None if it needs no gradient.
        inputs: the indices of the tensors that it was computed from.
        input_shapes: their shapes.
        contributions: one for each path by which a gradient arrives, in the order of arrival.
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
    """What each op in the graph of a tensor computes, and the norm of its gradient.

    Gradients are those of this tensor, the end of the graph. `grad` of the tensors is neither read nor written.

    Attributes:
        steps: every tensor, the end first and each before its inputs: the order of the backward pass.
    """

    steps: tuple[TensorStep, ...]

    @property
    def end(self) -> TensorStep:
        """The step of the explained tensor."""
        return self.steps[0]

    def __getitem__(self, name: str) -> TensorStep:
        """Return the step of a tensor by its name; of several, the youngest. Raises GraphError if there is none."""
        return step_named(self.steps, name)

    def words(self, place: int) -> str:
        """Return a description of one step and its gradient, in several lines.

        Args:
            place: the index of the step in `steps`.
        """
        step = step_at(self.steps, place)
        kind = "a parameter" if step.kind == "parameter" else "an input"
        lines = [f"{step.name} is {kind} of shape {shape(step.shape)}."]
        if step.kind == "op":
            of = ", ".join(f"{self.steps[at].name} {shape(self.steps[at].shape)}" for at in step.inputs)
            lines = [f"{step.op} computes {shape(step.shape)} from {of}.", step.about]
            lines += [part.strip() for part in step.formula.split(";")]
        if place == 0:
            return "\n".join([*lines, f"{step.name} is the end of the graph, where the backward pass begins."])
        arrived = [f"{short(path.norm)} from {self.steps[path.through].name}" for path in step.contributions]
        if not arrived:
            lines.append("It needs no gradient.")
        elif len(arrived) == 1:
            lines.append(f"It gets a gradient of norm {arrived[0]}.")
        else:
            total = short(step.grad_norm or 0.0)
            lines.append(f"It gets gradients of norm {', '.join(arrived)}; the norm of their sum is {total}.")
        return "\n".join(lines)

    def table(self, most: int | None = None) -> Table:
        """Return a table with a row for each op, in the order of computation. Inputs are below their first use.

        Args:
            most: the number of rows to show; None for all.
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
            title: a line above the graph.
        """
        return picture_of(self.steps, title)

    def formulas(self) -> dict[str, str]:
        """Return the formula of each kind of op in the graph, in the order of first use."""
        return {step.op: step.formula for step in reversed(self.steps) if step.op}

    def to_json(self) -> dict[str, Any]:
        """Return the name of the end and all steps as plain values."""
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
    """Return the explanation of a tensor: the backward pass of `Tensor.backward`, with gradients in arrays of its own.

    Args:
        end: the tensor, of any shape.
        names: names of tensors by `id`, used instead of their labels.
        gradient: the output gradient, in the shape of the tensor; None (1) for a single number.

    Raises:
        GraphError: several elements and no output gradient, or a tensor whose history is lost.
        ShapeError: the output gradient has another shape.
    """
    if gradient is None and end.array.size != 1:
        raise GraphError(
            f"explain without a gradient needs a single number; got a tensor of shape {end.array.shape}. "
            "Call .sum() or .mean() first, or pass the output gradient."
        )
    if gradient is not None and gradient.shape != end.shape:
        raise ShapeError(f"a gradient must have its tensor's shape, {end.array.shape}; got {gradient.shape}.")
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
            for at, share in zip(inputs, _backward(node, total), strict=True):
                if nodes[at].requires_grad:
                    own = share.astype(nodes[at].array.dtype, copy=False)
                    above[at] = above[at] + own if at in above else own
                    arriving[at].append(TensorContribution(through=place, norm=norm(share)))
        found = None if total is None else norm(total)
        steps.append(_step(node, called[place], inputs, [nodes[at] for at in inputs], found, arriving[place]))
    return TensorExplanation(steps=tuple(steps))


def steps_of(nodes: Sequence[Tensor]) -> list[TensorStep]:
    """Return the steps of tensors of any shapes, with the gradients in their `grad`, without a backward pass.

    Args:
        nodes: the tensors, youngest first.
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
    """Return steps as a picture, in which nodes are highlighted by the norm of their gradients.

    Args:
        steps: the steps, the end first.
        title: a line above the graph.
    """
    norms = [step.grad_norm for step in steps if step.grad_norm is not None]
    largest = max(filter(math.isfinite, norms), default=0.0)
    cards, arrows = [], []
    for place, step in enumerate(steps):
        lines = [("shape", shape(step.shape)), ("|value|", short(step.value_norm))]
        if step.grad_norm is not None:
            lines.append(("|grad|", short(step.grad_norm)))
        kind: CardKind = "end" if place == 0 else "made" if step.op else "given"
        shine = glow(step.grad_norm or 0.0, largest)
        cards.append(Card(title=step.name, op=step.op, lines=tuple(lines), kind=kind, glow=shine))
        arrows += [(at, place, "") for at in step.inputs]
    caption = "|x| = √Σx²;  blue: parameters and inputs" + (";  orange: size of the gradient" if norms else "")
    return Picture(cards=tuple(cards), arrows=tuple(arrows), title=title, caption=caption)


def norm(array: Array) -> float:
    """Return √Σx² over an array of any shape, computed in float64."""
    return float(np.linalg.norm(array.reshape(-1).astype(np.float64)))


def _backward(node: Tensor, above: Array) -> tuple[Array, ...]:
    """Return the gradient of each input of a tensor's op, for the gradient of the tensor."""
    op: type[Op] = node._op  # type: ignore[assignment]  # a node with parents has one
    return op.backward(above, node._saved)


def _kind(node: Tensor) -> Kind:
    if node._prev:
        return "op"
    return "parameter" if isinstance(node, Parameter) or node.requires_grad else "given"


def _about(node: Tensor) -> str:
    """Return the first paragraph of the docstring of the node's op, on one line."""
    text = inspect.getdoc(node._op) if node._op else None
    return " ".join((text or "").partition("\n\n")[0].split())


def _figures(step: TensorStep) -> tuple[str, str, str]:
    return shape(step.shape), short(step.value_norm), "" if step.grad_norm is None else short(step.grad_norm)
