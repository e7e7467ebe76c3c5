"""One minibatch forward and backward, as fast as its graph allows."""

import copy
from typing import Any

from backlight.autograd import Tensor
from backlight.autograd.replay import Replay
from backlight.core import Array, Batch, GraphError
from backlight.models.neural import NeuralModel


class Stepper:
    """Computes a batch's loss and gradients; after two batches of one shape, by replaying their graph.

    The first batch of a shape is computed with tensors and its graph recorded. The second is computed both ways, and
    only if loss and every gradient agree bit for bit is the graph replayed from then on. A model that does not promise
    a fixed graph, or does more than its graph shows (keeps running statistics), is always computed with tensors.

    Args:
        model: the network. Its parameters lie in one flat array.

    Attributes:
        replaying: whether the last batch was replayed.
    """

    def __init__(self, model: NeuralModel) -> None:
        self.model = model
        self.replaying = False
        self._flat = model.flat()
        self._may_replay = model.fixed_graph and not any(True for _ in model.named_buffers())
        self._recorded: dict[tuple[int, ...], Replay] = {}
        self._proven: set[tuple[int, ...]] = set()
        self._loss: Tensor | None = None
        self._replay: Replay | None = None

    def forward(self, batch: Batch) -> float:
        """Return the batch's loss in nats per target, and forget the gradients of the batch before."""
        self._flat.zero_grad()
        shape = batch.x.shape
        if shape in self._proven:
            self.replaying = True
            self._replay = self._recorded[shape]
            return float(self._replay.forward((batch.x, batch.y)))
        self.replaying = False
        if self._may_replay and shape in self._recorded:
            self._prove(shape, batch)
        self._loss = self.model.loss(batch)
        if self._may_replay and shape not in self._recorded:
            self._record(shape, batch, self._loss)
        return float(self._loss.array)

    def backward(self) -> None:
        """Leave the gradients of the last batch in the parameters."""
        if self.replaying and self._replay is not None:
            self._replay.backward()
        elif self._loss is not None:
            self._loss.backward()
            self._loss = None

    def _record(self, shape: tuple[int, ...], batch: Batch, loss: Tensor) -> None:
        try:
            self._recorded[shape] = Replay(loss, (batch.x, batch.y))
        except GraphError:
            self._may_replay = False  # the model computes with its inputs outside the graph

    def _prove(self, shape: tuple[int, ...], batch: Batch) -> None:
        """Compute the batch both ways and compare the bits; chance is given the same draws for both."""
        before = self._chance()
        replay = self._recorded[shape]
        replayed = (float(replay.forward((batch.x, batch.y))), self._gradients(replay))
        self._restore(before)
        loss = self.model.loss(batch)
        computed = (float(loss.array), self._gradients(loss))
        self._restore(before)
        same = replayed[0] == computed[0] and replayed[1].tobytes() == computed[1].tobytes()
        if same:
            self._proven.add(shape)
        else:
            self._may_replay = False

    def _gradients(self, end: Replay | Tensor) -> Array:
        self._flat.zero_grad()
        end.backward()
        found = self._flat.gather().copy()
        self._flat.zero_grad()
        return found

    def _chance(self) -> list[Any]:
        return [copy.deepcopy(rng.bit_generator.state) for rng in self.model.generators()]

    def _restore(self, states: list[Any]) -> None:
        for rng, state in zip(self.model.generators(), states, strict=True):
            rng.bit_generator.state = state
