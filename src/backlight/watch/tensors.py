"""What the watching mechanism asks of a framework's tensors.

A "tensor" is the framework's tensor, a node of its graph. What `values` makes of it is what `measure` takes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from backlight.core import Array
from backlight.watch.numbers import Block


class Tensors(ABC):
    """The tensors of a framework."""

    @abstractmethod
    def tensors_in(self, thing: Any) -> Iterable[Any]:
        """Return the tensors in what a module takes or gives, in order."""

    @abstractmethod
    def why_not_measured(self, tensor: Any) -> str | None:
        """Return why a tensor cannot be measured; None if it can: real, floating point, dense, plain, not empty."""

    @abstractmethod
    def is_input(self, tensor: Any) -> bool:
        """Return whether a record can be made of an input: it holds real numbers or ids, and is dense and not empty."""

    @abstractmethod
    def awaits_gradient(self, tensor: Any) -> bool:
        """Return whether a gradient will come to a result."""

    @abstractmethod
    def values(self, tensor: Any) -> Any:
        """Return a measurable tensor as `measure` takes it, without a copy if that can be."""

    def values_of(self, tensors: Sequence[Any]) -> Sequence[Any]:
        """Return `values` of each."""
        return list(map(self.values, tensors))

    @abstractmethod
    def copied(self, tensor: Any) -> Any:
        """Return a copy of a tensor for `measure`."""

    @abstractmethod
    def sampled(self, tensor: Any, step: int) -> Any:
        """Return every `step`-th number of a tensor, flat, as a copy for `measure`."""

    @abstractmethod
    def array(self, tensor: Any) -> Array:
        """Return a tensor's numbers as a new array, float32 or float64 for floating-point ones."""

    @abstractmethod
    def number(self, loss: Any) -> float:
        """Return a loss of one number as a float.

        Raises:
            ValueError: it is not one number.
        """

    @abstractmethod
    def features(self, tensor: Any, step: int) -> Array:
        """Return every `step`-th feature (B, ...) of a tensor, of ids every `step`-th number, as a new array."""

    @abstractmethod
    def rows(self, tensor: Any, axis: int, most: int, *, spaced: bool = True) -> Array:
        """Return a tensor (or values) as rows (N, C), the given axis last, as a new array.

        Args:
            tensor: the tensor.
            axis: the axis that becomes the last.
            most: how many numbers (N C) at most if the rows are to be spaced evenly; else how many rows, the first.
            spaced: whether they are.
        """

    @abstractmethod
    def measure(
        self, block: Block, values: Sequence[Any | None], *, start: int = 0, less: Sequence[Any] | None = None,
        copies: Sequence[Any] | None = None,
    ) -> None:  # fmt: skip
        """Measure; see `numbers.measure`."""

    def version(self, tensor: Any) -> int:
        """Return how often a tensor has been changed in place, where that is known."""
        del tensor
        return 0
