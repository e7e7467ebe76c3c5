"""Samplers: the order in which a loader takes the examples of a dataset."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import chain, islice
from typing import Any, Generic, TypeVar

import numpy as np

from backlight.core import ConfigError
from backlight.core.arguments import check_flag, check_whole, shown
from backlight.torchlike import distributions, draws
from backlight.torchlike.generator import Generator
from backlight.torchlike.random import default_generator

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """The base class of samplers; a subclass defines `__iter__`."""

    def __init__(self, data_source: Any = None) -> None:
        del data_source

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__().")


class SequentialSampler(Sampler[int]):
    """The numbers 0, 1, 2, ... of a dataset."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The numbers of a dataset in random order.

    Without a generator, each pass takes the seed of its own generator from the global one.

    Args:
        data_source: the dataset.
        replacement: whether a number can be drawn several times.
        num_samples: how many numbers; the length of the dataset by default.
        generator: draws the numbers.

    Raises:
        ConfigError: no examples, or a number below 1.
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        check_flag(replacement=replacement)
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        check_whole(num_samples=self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many numbers a pass gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        generator = self.generator or Generator().manual_seed(draws.random63(default_generator))
        if self.replacement:
            for count in chain((32 for _ in range(self.num_samples // 32)), [self.num_samples % 32]):
                yield from distributions.randint(0, n, count, generator).tolist()
            return
        for _ in range(self.num_samples // n):
            yield from distributions.randperm(n, generator).tolist()
        yield from distributions.randperm(n, generator).tolist()[: self.num_samples % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Given numbers in random order.

    Args:
        indices: the numbers.
        generator: draws the order; the global one by default.
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in distributions.randperm(len(self.indices), self.generator or default_generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Numbers in proportion to weights.

    Args:
        weights: one for each example.
        num_samples: how many numbers.
        replacement: whether a number can be drawn several times.
        generator: draws the numbers; the global one by default.
    """

    def __init__(
        self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        check_whole(num_samples=num_samples)
        check_flag(replacement=replacement)
        self.weights = np.asarray(weights, np.float64)
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        source = self.generator or default_generator
        return iter(distributions.multinomial(self.weights, self.num_samples, self.replacement, source).tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The numbers of a sampler in lists.

    Args:
        sampler: gives the numbers.
        batch_size: the length of a list.
        drop_last: whether a last list that is shorter is left out.

    Raises:
        ConfigError: a batch size below 1.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        check_whole(batch_size=batch_size)
        check_flag(drop_last=drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        numbers = iter(self.sampler)
        while batch := list(islice(numbers, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        if not isinstance(self.sampler, Sized):
            raise ConfigError(f"the length is unknown, since the sampler has none: {shown(self.sampler)}.")
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + bool(rest and not self.drop_last)
