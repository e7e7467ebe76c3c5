"""The forward and backward pass of a minibatch, by compiled kernels if possible and otherwise by the graph."""

import copy
import json
from collections.abc import Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.autograd import Tensor
from backlight.autograd.native import Program, UnsuitableError, library
from backlight.core import Array, Batch, FloatArray
from backlight.core.threads import limit_threads
from backlight.models.neural import NeuralModel

ROUNDING = 1e-3
"""The largest difference allowed between a program's gradients and the graph's, relative to their norm. Summing in
another order changes them by 1e-6 or less."""

CHECKS = 2
"""The number of batches of each kind on which a program is compared with the graph."""


def threads_for(model: NeuralModel, count: int, *, native: bool = True) -> AbstractContextManager[None]:
    """Return a context in which a network is computed on `count` threads.

    If compiled kernels compute it, they have the threads, and BLAS has one for the little that is left to NumPy, so
    that the results do not depend on `count`. Otherwise BLAS has them.

    Args:
        model: the network.
        count: the number of threads.
        native: whether compiled kernels may be used.
    """
    compiled = native and model.fixed_graph and library() is not None
    return limit_threads(count, blas=1 if compiled else count)


class Stepper:
    """Computes the loss and gradients of a batch, with compiled kernels if they give the same result as the graph.

    The first batch of a kind (`NeuralModel.kind`) is computed with tensors, and its graph is compiled to a `Program`.
    The first two batches of a kind are computed both ways, from the same state of all generators and buffers, and
    everything that a step changes is compared: the loss, every gradient, every buffer (running statistics) and the
    state of every generator (dropout). If the program differs by more than rounding, or the graph has an op without a
    kernel, the model is trained by its graph. The results of the program are used from the first batch on, so a resumed
    run, which repeats the checks, continues bit for bit.

    The checks detect a model that computes more than its graph shows, if that shows in the first two batches. They
    cannot detect a graph that depends on the values in a batch, so a model must promise a fixed one (`fixed_graph`).
    The modes of its modules may change, since they are part of the kind; other settings of layers may not.

    Args:
        model: the network. Its parameters are moved into one flat array.
        native: whether compiled kernels may be used.

    Attributes:
        compiled: whether the last batch was computed without its graph.
        end: the loss of the last batch with its graph, to be examined; None if the program computed the batch and
            nobody asked for the graph.
    """

    def __init__(self, model: NeuralModel, *, native: bool = True) -> None:
        self.model = model
        self.compiled = False
        self.end: Tensor | None = None
        self._flat = model.flat()
        self._modules = [module for _, module in model.named_modules()]
        self._may_compile = native and model.fixed_graph
        self._compiled: dict[Hashable, _Compiled | None] = {}  # None: a kind whose graph has no program
        self._program: Program | None = None  # what computed the last batch; None if the graph did

    def forward(self, batch: Batch, *, eager: bool = False) -> float:
        """Return the batch's loss in nats per target, and clear the gradients of the previous batch.

        Args:
            batch: ids and targets.
            eager: whether to build the graph even if it is not needed. This is always done while modules have hooks,
                so that the hooks are called. The graph stays in `end` until the next batch, and `backward` also
                computes its gradients. The loss and the parameters' gradients are bit-identical either way.
        """
        self._flat.zero_grad()
        inputs = self.model.inputs(batch)
        self.end = self._program = None
        kind = (self.model.kind(inputs), *[module.training for module in self._modules]) if self._may_compile else None
        compiled = self._compiled.get(kind)
        eager = eager or any(module._forward_hooks for module in self._modules)
        self.compiled = compiled is not None and not compiled.checks_left and not eager
        if compiled is not None and self.compiled:
            self._program = compiled.program
            return compiled.program.forward(inputs)
        is_new = self._may_compile and kind not in self._compiled
        before = self._outcome() if is_new or compiled is not None else None
        self.end = self.model.loss_of(inputs)
        if is_new:
            compiled = self._compiled[kind] = _compile(self.end, inputs)
        if compiled is None or before is None:
            return float(self.end.array)
        return self._compute_again(compiled, inputs, before, eager=eager)

    def backward(self) -> None:
        """Compute the gradients of the last batch."""
        if self.end is not None:
            self.end.backward()
        if self._program is not None:  # overwrites the parameters' gradients that the graph computed
            self._program.backward()

    def _compute_again(
        self, compiled: "_Compiled", inputs: tuple[Any, ...], before: "_Outcome", *, eager: bool
    ) -> float:
        """Run the program on a batch that was computed with tensors, and return the loss to use.

        If checks are left, the program is compared with the graph; if it differs, no program is used again. A graph
        that nobody asked for is dropped first, so that it does not need memory at the same time as the program.
        """
        assert self.end is not None  # noqa: S101  (forward has just computed it)
        loss = float(self.end.array)
        by_graph = self._outcome_of(self.end, loss) if compiled.checks_left else None
        if not eager:
            self.end = None
        self._restore(before)
        nats = compiled.program.forward(inputs)
        if by_graph is not None:
            compiled.checks_left -= 1
            if not self._outcome_of(compiled.program, nats).agrees(by_graph):
                self._may_compile = False
                self._compiled.clear()
                if self.end is None:
                    self._restore(before)
                    self.end = self.model.loss_of(inputs)
                else:
                    self._restore(by_graph)
                return loss
        self._program = compiled.program
        return nats

    def _outcome_of(self, end: Program | Tensor, loss: float) -> "_Outcome":
        """Return everything that a batch changes, including gradients, and clear the gradients."""
        self._flat.zero_grad()
        if isinstance(end, Tensor):
            end.backward(retain_graph=True)  # the step may still need the graph
        else:
            end.backward()
        gradients = self._flat.gather()
        sizes = [tensor.array.size for tensor in self._flat.tensors]
        parts = [part.copy() for part in np.split(gradients, np.cumsum(sizes)[:-1])]
        self._flat.zero_grad()
        return self._outcome(loss, parts)

    def _outcome(self, loss: float = 0.0, gradients: list[FloatArray] | None = None) -> "_Outcome":
        return _Outcome(
            loss=loss,
            gradients=gradients or [],
            buffers=[buffer.array.copy() for _, buffer in self.model.named_buffers()],
            generators=[copy.deepcopy(rng.bit_generator.state) for rng in self.model.generators()],
        )

    def _restore(self, outcome: "_Outcome") -> None:
        """Restore buffers and generators to a former state."""
        for (_, buffer), array in zip(self.model.named_buffers(), outcome.buffers, strict=True):
            buffer.array[...] = array
        for rng, state in zip(self.model.generators(), outcome.generators, strict=True):
            rng.bit_generator.state = state


@dataclass(kw_only=True)
class _Compiled:
    """The program for batches of one kind, and the number of batches on which it is still compared with the graph."""

    program: Program
    checks_left: int = CHECKS


def _compile(loss: Tensor, inputs: tuple[Any, ...]) -> _Compiled | None:
    """Return the program of a graph, or None if an op has no kernel or none are built."""
    try:
        return _Compiled(program=Program(loss, inputs))
    except UnsuitableError:
        return None


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What a batch changes: the loss, the parameters' gradients, the buffers, and the states of the generators."""

    loss: float
    gradients: list[FloatArray]
    buffers: list[Array]
    generators: list[Any]

    def agrees(self, other: "_Outcome") -> bool:
        """Return whether two outcomes agree: generators exactly, arrays up to rounding."""
        if _text(self.generators) != _text(other.generators):
            return False
        # a gradient that is 0 up to rounding, as of a bias before batch norm, is compared with the largest norm instead
        floor = 1e-3 * max((float(np.linalg.norm(gradient)) for gradient in other.gradients), default=0.0)
        mine, theirs = [*self.gradients, *self.buffers], [*other.gradients, *other.buffers]
        near = [
            float(np.linalg.norm(a - b)) <= ROUNDING * max(float(np.linalg.norm(b)), floor)
            for a, b in zip(mine, theirs, strict=True)
        ]
        return abs(self.loss - other.loss) <= ROUNDING * abs(other.loss) and all(near)


def _text(states: list[Any]) -> str:
    return json.dumps(states, default=lambda array: array.tolist())
