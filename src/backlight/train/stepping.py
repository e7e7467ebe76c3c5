"""One minibatch forward and backward, as fast as its graph allows."""

import copy
import json
from collections.abc import Hashable
from typing import Any, NamedTuple

from backlight.autograd import Tensor
from backlight.autograd.replay import Replay
from backlight.core import Array, Batch, GraphError
from backlight.models.neural import NeuralModel


class Stepper:
    """Computes a batch's loss and gradients; after two batches of one kind, by replaying their graph.

    The first batch of a kind (`NeuralModel.kind`) is computed with tensors and its graph recorded. The second is
    computed both ways, from the same state of all generators and buffers, and the graph is replayed from then on only
    if everything that a step leaves behind agrees bit for bit: the loss, every gradient, every buffer (running
    statistics) and the state of every generator (dropout). So a model that does more than its graph shows is found
    out, if that shows in its second batch. What two batches cannot show is a graph that depends on the numbers in a
    batch; therefore a model must promise a fixed one. What a model does in training may change with the mode of its
    modules, which is part of the kind; other settings of layers must stay as they are.

    Args:
        model: the network. Its parameters lie in one flat array.

    Attributes:
        replaying: whether the last batch was replayed.
        end: the last batch's loss in its graph, for who wants to look at what lies before it; None if it was replayed.
    """

    def __init__(self, model: NeuralModel) -> None:
        self.model = model
        self.replaying = False
        self.end: Tensor | None = None
        self._flat = model.flat()
        self._modules = [module for _, module in model.named_modules()]
        self._may_replay = model.fixed_graph
        self._recorded: dict[Hashable, Replay] = {}
        self._proven: dict[Hashable, Replay] = {}
        self._replay: Replay | None = None

    def forward(self, batch: Batch, *, eager: bool = False) -> float:
        """Return the batch's loss in nats per target, and forget the gradients of the batch before.

        Args:
            batch: what to learn from.
            eager: whether to compute with tensors even if a replay is at hand. The numbers are the same; the graph
                stays in `end` until the next batch, and hooks on modules are called.
        """
        self._flat.zero_grad()
        inputs = self.model.inputs(batch)
        kind = (self.model.kind(inputs), *[module.training for module in self._modules]) if self._may_replay else None
        self._replay = None if eager else self._proven.get(kind)
        self.replaying = self._replay is not None
        if self._replay is not None:
            self.end = None
            return float(self._replay.forward(inputs))
        if self._may_replay and kind in self._recorded and kind not in self._proven:
            self.end = self._prove(kind, inputs)
        else:
            self.end = self.model.loss_of(inputs)
        if self._may_replay and kind not in self._recorded:
            self._record(kind, inputs, self.end)
        return float(self.end.array)

    def backward(self) -> None:
        """Leave the gradients of the last batch in the parameters."""
        if self._replay is not None:
            self._replay.backward()
        elif self.end is not None:
            self.end.backward()

    def _record(self, kind: Hashable, inputs: tuple[Any, ...], loss: Tensor) -> None:
        try:
            self._recorded[kind] = Replay(loss, inputs)
        except GraphError:
            self._may_replay = False  # the model computes with its inputs outside the graph

    def _prove(self, kind: Hashable, inputs: tuple[Any, ...]) -> Tensor:
        """Compute the batch both ways and compare the bits. Returns the loss in its graph, which has the last word."""
        before = self._kept()
        replay = self._recorded[kind]
        replayed = self._outcome(replay, float(replay.forward(inputs)))
        self._restore(before)
        loss = self.model.loss_of(inputs)
        if self._outcome(loss, float(loss.array)) == replayed:
            self._proven[kind] = replay
        else:
            self._may_replay = False
        return loss

    def _outcome(self, end: Replay | Tensor, loss: float) -> tuple[Any, ...]:
        """Return all that a batch leaves behind; the gradients are forgotten again."""
        self._flat.zero_grad()
        end.backward()
        gradients = self._flat.gather().tobytes()
        self._flat.zero_grad()
        kept = self._kept()
        generators = [json.dumps(state, default=lambda array: array.tolist()) for state in kept.generators]
        return loss, gradients, [array.tobytes() for array in kept.buffers], generators

    def _kept(self) -> "_Kept":
        generators = [copy.deepcopy(rng.bit_generator.state) for rng in self.model.generators()]
        return _Kept([buffer.array.copy() for _, buffer in self.model.named_buffers()], generators)

    def _restore(self, kept: "_Kept") -> None:
        for (_, buffer), array in zip(self.model.named_buffers(), kept.buffers, strict=True):
            buffer.array[...] = array
        for rng, state in zip(self.model.generators(), kept.generators, strict=True):
            rng.bit_generator.state = state


class _Kept(NamedTuple):
    """What a model carries from batch to batch besides its parameters: copies of buffers, states of generators."""

    buffers: list[Array]
    generators: list[Any]
