"""Run a function of one example again and again: traced once, then run in C, with the same gradients.

    @replayed
    def name_loss(tokens):          # whole numbers and numbers in lists, as the function is called anyway
        ...
        return sum(losses) / len(losses)

    loss = name_loss(tokens)
    loss.backward()                 # adds to the .grad of every parameter

It is `batched` for one example: the loop around it stays as it is.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np

from backlight.autograd.batching.function import Batched
from backlight.core import GraphError


class Replayed:
    """A function of one example whose graph is recorded and run again.

    A graph is recorded for each combination of shapes of the arguments: for names of seven letters, say. `Batched` says
    what the function may do.

    Args:
        function: takes numbers and nested lists of numbers, and returns one Value.

    Raises:
        OperandError: the function is not callable.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._batched = Batched(function)
        self._calls = 0
        update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> "Replay":
        """Return the result for one example.

        Raises:
            GraphError, IndexingError, DomainError: see `Batched`.
        """
        out = self._batched(*(np.asarray(argument)[None] for argument in arguments))
        if out.ndim > 1:
            raise GraphError(f"a replayed function must return one Value; got a list of {out.shape[1]}. Use batched.")
        self._calls += 1
        return Replay(self, float(out[0]))

    def _backward(self, call: int) -> None:
        if call != self._calls:
            raise GraphError(
                "backward() must be called before the replayed function is called again; it was called again since. "
                "Use batched for several examples."
            )
        self._batched.backward()


class Replay:
    """The result of a replayed function.

    Attributes:
        data: the number.
    """

    __slots__ = ("_by", "_call", "data")

    def __init__(self, by: Replayed, data: float) -> None:
        self._by = by
        self._call = by._calls
        self.data = data

    def __repr__(self) -> str:
        return f"Replay(data={self.data})"

    def __float__(self) -> float:
        return self.data

    def backward(self) -> None:
        """Add the derivatives of this number to `grad` of each Value that it depends on.

        Raises:
            GraphError: the function has been called again since.
        """
        self._by._backward(self._call)


def replayed(function: Callable[..., Any]) -> Replayed:
    """Return a function of one example that is traced once and then run in C. Usable as a decorator; see `Replayed`."""
    return Replayed(function)
