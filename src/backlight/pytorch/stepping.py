"""Training steps of a model's PyTorch form: loss and gradients of a minibatch, in parts and by several processes."""

import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812  (its usual name)

from backlight.core import NOT_A_TARGET, Batch, ConfigError
from backlight.models.neural import NeuralModel
from backlight.pytorch.building import to_torch
from backlight.pytorch.sharding import shard
from backlight.pytorch.weight_map import copy_weights

CPU_TARGETS, GPU_TARGETS = 1_024, 65_536
"""Targets that are evaluated at a time: on a CPU, what stays in its cache."""


_BUFFERS_STAY: Final[dict[str, Any]] = {
    "forward_sync_buffers"
    if "forward_sync_buffers" in inspect.signature(torch.nn.parallel.DistributedDataParallel).parameters
    else "broadcast_buffers": False  # its name before PyTorch 2.13
}
"""No buffer changes in training: without batch norms, there are only constants."""


def device_of(name: str, *, rank: int = 0) -> torch.device:
    """Return a device by its name; "auto" is CUDA, or Apple's MPS, or the CPU, whichever is there first.

    Args:
        name: "auto", "cuda", "mps" or "cpu".
        rank: the number of the process on this machine, and so of its CUDA GPU.

    Raises:
        ConfigError: this machine, or this build of PyTorch, has no such device.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(one for one, is_there in there.items() if is_there)
    if not there[name]:
        found = ", ".join(one for one, is_there in there.items() if is_there)
        raise ConfigError(
            f"device must be one that PyTorch {torch.__version__} finds here: {found}; got {name}. Leave it out for "
            "the fastest."
        )
    return torch.device(name, rank) if name == "cuda" else torch.device(name)


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Return the context manager of a forward pass: products in bfloat16 on a CUDA GPU that has it, else nothing."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def tensors_of_batch(batch: Batch, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids (B, T) and targets, (B,) or (B, T), on a device."""
    x, y = (torch.from_numpy(np.ascontiguousarray(array)) for array in (batch.x, batch.y))
    return x.to(device, non_blocking=True), y.to(device, non_blocking=True)


def losses(model: Any, x: torch.Tensor, y: torch.Tensor, *, reduction: str) -> torch.Tensor:
    """Return the cross entropy of a batch, its "mean" over the targets or its "sum"."""
    logits = model(x)
    return F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), y.reshape(-1), ignore_index=NOT_A_TARGET, reduction=reduction
    )


def part_of(batch: Batch, start: int, end: int) -> Batch:
    """Return some rows of a batch. No rows are one without a target, whose loss and gradient are 0."""
    if start < end:
        return Batch(batch.x[start:end], batch.y[start:end])
    return Batch(batch.x[:1], np.full_like(batch.y[:1], NOT_A_TARGET))


class LossSteps:
    """Loss and gradient of minibatches, which are computed in parts and shared among processes.

    Each process draws the same minibatch and computes its rows, at most `most` at a time. The loss is the sum of -log p
    over the targets of a part, divided by the number of targets of the whole minibatch: so parts of any length, also
    uneven ones, add up to the loss and the gradient of the minibatch. DDP averages the gradients of the processes,
    therefore each multiplies its own by their number.

    Args:
        module: the model's PyTorch form, on its device.
        device: the device.
        most: the largest number of examples computed at a time; None for all.
        rank: the number of this process.
        size: the number of processes.
        sharded: whether the module is divided among the processes. FSDP2 averages gradients as DDP does, but those of
            each part: gradients of whole weights are never kept.

    Attributes:
        end: the loss of the last part with its graph.
    """

    def __init__(
        self, module: torch.nn.Module, device: torch.device, *, most: int | None = None, rank: int = 0, size: int = 1,
        sharded: bool = False,
    ) -> None:  # fmt: skip
        self.end: Any = None
        self._device, self._most, self._rank, self._size = device, most, rank, size
        self._model: Any = module
        self._is_ddp = size > 1 and not sharded
        if self._is_ddp:
            self._model = torch.nn.parallel.DistributedDataParallel(
                module, device_ids=[device] if device.type == "cuda" else None, **_BUFFERS_STAY
            )

    def rows(self, examples: int) -> list[tuple[int, int]]:
        """Return start and end of each part that this process computes of a minibatch of so many examples.

        All processes compute the same number of parts, some of them without examples: they gather weights together.
        """
        first, last = (examples * rank // self._size for rank in (self._rank, self._rank + 1))
        step = self._most or max(1, last - first)
        parts = [(at, min(at + step, last)) for at in range(first, last, step)]
        largest = -(-examples // self._size)
        count = 1 if self._most is None else -(-largest // self._most)
        return [(first, first)] * (count - len(parts)) + parts

    def forward(self, batch: Batch) -> float:
        """Return this process's share of the minibatch's loss, in nats per target; gradients of all parts but the last.

        The gradients of the parts before are computed here, since their graphs are needed no more.
        """
        parts = self.rows(len(batch.x))
        is_whole = len(parts) == self._size == 1
        targets = int(np.count_nonzero(batch.y != NOT_A_TARGET))
        total = None
        for number, (start, end) in enumerate(parts, 1):
            x, y = tensors_of_batch(batch if is_whole else part_of(batch, start, end), self._device)
            is_last = number == len(parts)
            # DDP decides in the forward pass whether the backward pass adds up the gradients of all processes
            with self._model.no_sync() if self._is_ddp and not is_last else nullcontext():
                with autocast(self._device):
                    loss = losses(self._model, x, y, reduction="mean" if is_whole else "sum")
                loss = loss if is_whole else loss / targets
                total = loss.detach() if total is None else total + loss.detach()
                if not is_last:
                    torch.autograd.backward(loss * self._size)
            self.end = loss
        assert total is not None  # noqa: S101  (there is a part at least)
        return float(total)

    def backward(self) -> None:
        """Add the gradient of the last part, and sum over the processes."""
        assert self.end is not None  # noqa: S101  (forward was called)
        torch.autograd.backward(self.end if self._size == 1 else self.end * self._size)


class TorchEvaluator:
    """Sums -log p over batches with a copy of the model's PyTorch form, on a device.

    Args:
        model: the model; each change of its weights needs `load`.
        device: the device.
        sharded: whether the copy is divided among the processes. Then all must evaluate as many batches.
    """

    def __init__(self, model: NeuralModel, device: torch.device, *, sharded: bool = False) -> None:
        self._device, self._is_sharded = device, sharded
        module = to_torch(model).eval()
        self._module = shard(module, device, trained=False) if sharded else module.to(device)
        if sharded:
            self.load(model)
        self.batch_targets = CPU_TARGETS if device.type == "cpu" else GPU_TARGETS

    def load(self, model: NeuralModel) -> "TorchEvaluator":
        """Take the present weights of the model."""
        copy_weights(model, self._module)
        return self

    def nats(self, batch: Batch, targets: int) -> float:
        """Return the sum of -log p over the `targets` targets of a batch."""
        del targets
        # DTensors cannot be changed outside once they were made in inference mode
        with torch.no_grad() if self._is_sharded else torch.inference_mode():
            return float(losses(self._module, *tensors_of_batch(batch, self._device), reduction="sum"))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Context manager in which PyTorch computes on this many threads of the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
