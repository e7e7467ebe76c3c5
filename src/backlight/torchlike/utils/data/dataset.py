"""Datasets: examples by number, or one after another."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from backlight.autograd import Tensor
from backlight.core import ConfigError, OperandError, ShapeError
from backlight.core.arguments import is_number, shown
from backlight.torchlike.generator import Generator
from backlight.torchlike.random import randperm

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """The base class of datasets; a subclass defines `__getitem__` and usually `__len__`."""

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__().")

    def __add__(self, other: "Dataset[Any]") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """The base class of datasets that are read from beginning to end; a subclass defines `__iter__`."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__().")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Rows of tensors: example i is row i of each.

    Args:
        tensors: (N, ...) each, with the same N.

    Raises:
        ShapeError: different numbers of rows.
    """

    def __init__(self, *tensors: Tensor) -> None:
        if len({len(tensor) for tensor in tensors}) != 1:
            raise ShapeError(f"TensorDataset needs tensors of equal length; got {[len(t) for t in tensors]}.")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset[Any]):
    """Some examples of a dataset.

    Args:
        dataset: the dataset.
        indices: the numbers of the examples.
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[Any]):
    """Datasets one after another.

    Args:
        datasets: the datasets.

    Raises:
        ConfigError: no dataset.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ConfigError("ConcatDataset needs at least one dataset; got none.")
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> Any:
        at = idx + len(self) if idx < 0 else idx
        if not 0 <= at < len(self):
            raise IndexError(f"the index must be in 0..{len(self) - 1}; got {idx}.")
        number = bisect_right(self.cumulative_sizes, at)
        return self.datasets[number][at - (self.cumulative_sizes[number - 1] if number else 0)]


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Return a random division of a dataset.

    Args:
        dataset: the dataset, of N examples.
        lengths: the number of examples of each part, N in total; or shares that sum to 1, each rounded down, with the
            examples that remain given to the parts one by one.
        generator: draws the order; the global one by default.

    Raises:
        ConfigError: lengths that do not sum to N or to 1.
        OperandError: not a list of numbers.
    """
    sizes: list[Any] = list(lengths)
    if not all(map(is_number, sizes)):
        raise OperandError(f"lengths must be numbers, such as [0.8, 0.2]; got {shown(lengths)}.")
    N = len(dataset)
    if math.isclose(sum(sizes), 1) and sum(sizes) <= 1:
        if any(not 0 <= share <= 1 for share in sizes):
            raise ConfigError(f"shares must be from 0 to 1; got {shown(lengths)}.")
        sizes = [math.floor(N * share) for share in sizes]
        for i in range(N - sum(sizes)):
            sizes[i % len(sizes)] += 1
    if sum(sizes) != N:
        raise ConfigError(f"lengths must sum to the {N} examples of the dataset; got {shown(lengths)}.")
    indices: Any = randperm(N, generator=generator).tolist()
    ends = list(accumulate(map(int, sizes)))
    return [Subset(dataset, indices[end - int(size) : end]) for end, size in zip(ends, sizes, strict=True)]
