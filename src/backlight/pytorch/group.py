"""The processes of `torchrun` that train one model together, and the start of such a group.

Each finds its number and the others by the environment variables that `torchrun` sets. Gradients are added up by DDP
(`stepping.py`); here are the few numbers on which the processes agree at each step.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from backlight.core import BacklightError, ProcessEndedError
from backlight.pytorch.stepping import device_of

T = TypeVar("T")

_LOST: Final = ("connection closed", "connection reset", "connection refused", "broken pipe", "gloo", "nccl")
"""What PyTorch's messages say when another process of the group has ended."""


class TorchGroup:
    """The processes that `torchrun` has started, connected by NCCL on CUDA GPUs and by gloo otherwise.

    Args:
        device: the device of this process, by name; see `device_of`.

    Attributes:
        rank: the number of this process.
        size: the number of processes.
    """

    def __init__(self, device: str) -> None:
        self._device = device_of(device, rank=int(os.environ.get("LOCAL_RANK", "0")))
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)
        with self.together():
            store, rank, size = next(rendezvous("env://"))
            # a group that is started again may get the store of the one before, with addresses of ended processes
            own = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
            backend = "nccl" if self._device.type == "cuda" else "gloo"
            dist.init_process_group(backend, store=own, rank=rank, world_size=size)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """Return the sum of each number over all processes, which is the same in all of them."""
        total = torch.tensor(numbers, dtype=torch.float64, device=self._device)
        with self.together():
            dist.all_reduce(total)
        return tuple(total.tolist())

    def from_first(self, make: Callable[[], T]) -> T:
        """Return what `make` returns in the process of rank 0. If it raises a BacklightError there, all raise it."""
        made: list[Any] = [None, None]
        if self.rank == 0:
            try:
                made[0] = make()
            except BacklightError as error:
                made[1] = error
        with self.together():
            dist.broadcast_object_list(made, device=self._device)
        if made[1] is not None:
            raise made[1]
        result: T = made[0]
        return result

    @contextmanager
    def together(self) -> Iterator[None]:
        """Context manager in which the end of another process raises a ProcessEndedError."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, dist.DistError) or any(word in str(error).lower() for word in _LOST):
                raise ProcessEndedError("another process of the group has ended") from error
            raise

    def close(self) -> None:
        """Leave the group."""
        if dist.is_initialized():
            dist.destroy_process_group()


def start_group(processes: int, arguments: Sequence[str]) -> list[int]:
    """Start `python -m backlight` with these arguments in several processes, and wait for them, as `torchrun` does.

    If one of them fails, the others are ended.

    Args:
        processes: the number of processes.
        arguments: the arguments of the command.

    Returns:
        The exit codes of the processes that failed, the first one first; a negative one is the number of the signal
        that ended the process.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # one line of ours says what happened
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, run_id=f"backlight-{os.getpid()}", rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", max_restarts=0, monitor_interval=0.1,
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)("-m", "backlight", *arguments)
    except ChildFailedError as error:
        first = error.get_first_failure()[1]
        return [first.exitcode, *(one.exitcode for one in error.failures.values() if one is not first)]
    except SignalException as error:
        return [-int(error.sigval)]
    return []


def ended_by_signal(code: int) -> str | None:
    """Return the name of the signal that ended a process, by its exit code; None if none did."""
    return signal.Signals(-code).name if code < 0 else None
