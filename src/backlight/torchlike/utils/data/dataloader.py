"""`DataLoader`: a dataset in batches."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from backlight.core import ConfigError
from backlight.core.arguments import check_flag, check_whole
from backlight.torchlike import draws
from backlight.torchlike.generator import Generator
from backlight.torchlike.random import default_generator
from backlight.torchlike.utils.data.collating import default_collate
from backlight.torchlike.utils.data.dataset import IterableDataset
from backlight.torchlike.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler


class DataLoader:
    """Iterate over a dataset in batches.

    As in PyTorch, each pass takes a number from the global generator (the seed of worker processes, of which there are
    none), and a shuffled one another, the seed of its order.

    Args:
        dataset: examples by number, or an `IterableDataset`.
        batch_size: examples in a batch; None for single examples.
        shuffle: whether each pass has a random order.
        sampler: gives the numbers of the examples instead.
        batch_sampler: gives lists of numbers instead.
        num_workers: processes that load; examples are loaded in this process, whatever the number.
        collate_fn: joins a list of examples into a batch; `default_collate` by default.
        pin_memory: changes nothing, like the arguments that follow `drop_last`.
        drop_last: whether a last batch that is smaller is left out.
        timeout: see `pin_memory`.
        worker_init_fn: see `pin_memory`.
        multiprocessing_context: see `pin_memory`.
        generator: draws the order and the seed of the workers; the global one by default.
        prefetch_factor: see `pin_memory`.
        persistent_workers: see `pin_memory`.
        pin_memory_device: see `pin_memory`.
        in_order: see `pin_memory`.

    Raises:
        ConfigError: arguments that exclude each other.
    """

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, timeout: float = 0, worker_init_fn: Any = None,
        multiprocessing_context: Any = None, generator: Generator | None = None, *, prefetch_factor: int | None = None,
        persistent_workers: bool = False, pin_memory_device: str = "", in_order: bool = True,
    ) -> None:  # fmt: skip
        del timeout, worker_init_fn, multiprocessing_context, prefetch_factor, pin_memory_device, in_order
        check_whole(0, num_workers=num_workers)
        check_flag(shuffle=bool(shuffle), drop_last=drop_last)
        by_number = not isinstance(dataset, IterableDataset)
        if not by_number and (shuffle or sampler is not None or batch_sampler is not None):
            raise ConfigError("an IterableDataset has its own order; leave out shuffle, sampler and batch_sampler.")
        if sampler is not None and shuffle:
            raise ConfigError("a sampler gives the order; got shuffle=True as well. Leave one out.")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ConfigError("batch_sampler excludes batch_size, shuffle, sampler and drop_last. Leave those out.")
        if batch_size is None and drop_last:
            raise ConfigError("batch_size=None gives single examples; got drop_last=True. Leave it out.")
        if num_workers:
            warnings.warn(
                f"num_workers={num_workers} is taken as 0: Backlight loads data in one process.", stacklevel=2
            )
        self.dataset = dataset
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.persistent_workers = persistent_workers
        self.generator = generator
        self.drop_last = drop_last
        self.collate_fn = collate_fn or (_unchanged if batch_size is None else default_collate)
        if by_number and sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if by_number and batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.batch_size = (
            None if batch_sampler is not None and not isinstance(batch_sampler, BatchSampler) else batch_size
        )

    def __iter__(self) -> Iterator[Any]:
        batches = self._batches()
        draws.random63(self.generator or default_generator)  # PyTorch's seed of the workers
        return batches

    def _batches(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            yield from self._read(iter(self.dataset))
        elif self.batch_sampler is not None:
            for numbers in self.batch_sampler:
                yield self.collate_fn([self.dataset[i] for i in numbers])
        else:
            for number in self.sampler:
                yield self.collate_fn(self.dataset[number])

    def _read(self, examples: Iterator[Any]) -> Iterable[Any]:
        if self.batch_size is None:
            yield from map(self.collate_fn, examples)
            return
        while batch := list(islice(examples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset) and self.batch_size is not None:
            full, rest = divmod(len(self.dataset), self.batch_size)  # type: ignore[arg-type]  # if it defines one
            return full + bool(rest and not self.drop_last)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)


def _unchanged(example: Any) -> Any:
    return example
