"""One minibatch forward and backward, as fast as its graph allows."""

import copy
import json
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.autograd import Tensor
from backlight.autograd.native import Program, UnsuitableError
from backlight.autograd.replay import Replay
from backlight.core import Array, Batch, FloatArray, GraphError
from backlight.models.neural import NeuralModel

ROUNDING = 1e-3
"""How far a program's gradients may be from the graph's, of their norm: sums in another order come to 1e-6 or less."""


class CompiledStep:
    """Computes a batch's loss and gradients; from the third batch of a kind on, without building its graph again.

    The first batch of a kind (`NeuralModel.kind`) is computed with tensors, and its graph recorded: as a `Program` of
    compiled kernels where they are built and know all ops of the graph, and else as a `Replay` of the same ops on NumPy
    arrays. Before it is relied on it is proven: from the same state of all generators and buffers, everything that a
    step leaves behind is compared with what the graph leaves: the loss, every gradient, every buffer (running
    statistics) and the state of every generator (dropout). A replay must agree bit for bit, on the second batch. A
    program must agree up to rounding, on the first and on the second, and its numbers are used from the first batch on:
    so a run that was interrupted, and starts with proofs again, goes on with the same bits.

    A model that does more than its graph shows is thus found out, if that shows in its second batch. What two batches
    cannot show is a graph that depends on the numbers in a batch; therefore a model must promise a fixed one. What a
    model does in training may change with the modes of its modules, which are part of the kind; other settings of
    layers must stay as they are.

    Args:
        model: the network. Its parameters lie in one flat array.
        native: whether programs may be used.

    Attributes:
        replaying: whether the last batch was computed without its graph.
        end: the last batch's loss in its graph, for who wants to look at what lies before it; None if there is none.
    """

    def __init__(self, model: NeuralModel, *, native: bool = True) -> None:
        self.model = model
        self.replaying = False
        self.end: Tensor | None = None
        self._flat = model.flat()
        self._modules = [module for _, module in model.named_modules()]
        self._may_replay = model.fixed_graph
        self._native = native
        self._ways: dict[Hashable, _Way] = {}
        self._recorded: Replay | Program | None = None  # what computed the last batch, if its graph did not

    def forward(self, batch: Batch, *, eager: bool = False) -> float:
        """Return the batch's loss in nats per target, and forget the gradients of the batch before.

        Args:
            batch: what to learn from.
            eager: whether to compute with tensors also where that is not needed, as is done while there are hooks on
                modules, so that they are called. The graph stays in `end` until the next batch, and `backward` leaves
                gradients in it. The loss and the parameters' gradients are the same bits as otherwise.
        """
        self._flat.zero_grad()
        inputs = self.model.inputs(batch)
        kind = (self.model.kind(inputs), *[module.training for module in self._modules]) if self._may_replay else None
        way = self._ways.get(kind)
        eager = eager or any(module._forward_hooks for module in self._modules)
        self.end = self._recorded = None
        self.replaying = way is not None and not way.proofs and not eager
        if way is not None and self.replaying:
            self._recorded = way.recorded
            return float(way.recorded.forward(inputs))
        before = self._kept()
        self.end = self.model.loss_of(inputs)
        if not self._may_replay:
            return float(self.end.array)
        return self._beside(way or self._record(kind, inputs, self.end), inputs, before, self.end)

    def backward(self) -> None:
        """Leave the gradients of the last batch in the parameters."""
        if self.end is not None:
            self.end.backward()
        if self._recorded is not None:  # a program writes over what the graph left
            self._recorded.backward()

    def _record(self, kind: Hashable, inputs: tuple[Any, ...], loss: Tensor) -> "_Way | None":
        way = None
        try:
            if self._native:
                way = _Way(recorded=Program(loss, inputs), leads=True, proofs=2)
        except UnsuitableError:
            pass
        try:
            way = way or _Way(recorded=Replay(loss, inputs), leads=False, proofs=1)
        except GraphError:
            self._may_replay = False  # the model computes with its inputs outside the graph
            return None
        self._ways[kind] = way
        return way if way.leads else None

    def _beside(self, way: "_Way | None", inputs: tuple[Any, ...], before: "_Left", loss: Tensor) -> float:
        """Compute a batch that was computed with tensors another way too; return the loss that counts."""
        if way is None or not (way.proofs or way.leads):
            return float(loss.array)
        by_graph = self._left(loss, float(loss.array)) if way.proofs else None
        self._restore(before)
        nats = float(way.recorded.forward(inputs))
        if by_graph is not None:
            way.proofs -= 1
            if not self._left(way.recorded, nats).agrees(by_graph, exactly=not way.leads):
                self._distrust(way)
                self._restore(by_graph)
                return float(loss.array)
        if way.leads:
            self._recorded = way.recorded
        return nats

    def _distrust(self, way: "_Way") -> None:
        """Do without programs; or, if it was a replay that left something else, without any."""
        self._ways.clear()
        if way.leads:
            self._native = False
        else:
            self._may_replay = False

    def _left(self, end: "Replay | Program | Tensor", loss: float) -> "_Left":
        """Return all that a batch leaves behind; the gradients are forgotten again."""
        self._flat.zero_grad()
        end.backward()
        gradients = self._flat.gather()
        parts = [gradients[at : at + size].copy() for at, size in self._slices()]
        self._flat.zero_grad()
        return self._kept(loss, parts)

    def _slices(self) -> list[tuple[int, int]]:
        sizes = [tensor.array.size for tensor in self._flat.tensors]
        return list(zip(np.cumsum([0, *sizes]).tolist(), sizes, strict=False))

    def _kept(self, loss: float = 0.0, gradients: list[FloatArray] | None = None) -> "_Left":
        return _Left(
            loss=loss,
            gradients=gradients or [],
            buffers=[buffer.array.copy() for _, buffer in self.model.named_buffers()],
            generators=[copy.deepcopy(rng.bit_generator.state) for rng in self.model.generators()],
        )

    def _restore(self, left: "_Left") -> None:
        for (_, buffer), array in zip(self.model.named_buffers(), left.buffers, strict=True):
            buffer.array[...] = array
        for rng, state in zip(self.model.generators(), left.generators, strict=True):
            rng.bit_generator.state = state


@dataclass(kw_only=True)
class _Way:
    """How batches of one kind are computed without their graph.

    Attributes:
        recorded: what computes them.
        leads: whether its numbers count also where the graph was computed beside it.
        proofs: how many are still to be given.
    """

    recorded: Replay | Program
    leads: bool
    proofs: int


@dataclass(frozen=True, kw_only=True)
class _Left:
    """What a batch leaves behind: its loss, the parameters' gradients one by one, buffers, and states of generators."""

    loss: float
    gradients: list[FloatArray]
    buffers: list[Array]
    generators: list[Any]

    def agrees(self, other: "_Left", *, exactly: bool) -> bool:
        """Return whether two ways left the same: chance to the bit, and numbers too, or up to rounding."""
        if _text(self.generators) != _text(other.generators):
            return False
        mine, theirs = [*self.gradients, *self.buffers], [*other.gradients, *other.buffers]
        if exactly:
            return self.loss == other.loss and all(
                a.tobytes() == b.tobytes() for a, b in zip(mine, theirs, strict=True)
            )
        # a gradient that is 0 but for rounding, as that of a bias before batch norm, is judged by the others
        floor = 1e-3 * max((float(np.linalg.norm(gradient)) for gradient in other.gradients), default=0.0)
        near = [
            float(np.linalg.norm(a - b)) <= ROUNDING * max(float(np.linalg.norm(b)), floor)
            for a, b in zip(mine, theirs, strict=True)
        ]
        return abs(self.loss - other.loss) <= ROUNDING * abs(other.loss) and all(near)


def _text(states: list[Any]) -> str:
    return json.dumps(states, default=lambda array: array.tolist())
