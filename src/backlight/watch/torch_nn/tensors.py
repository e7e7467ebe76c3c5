"""PyTorch's tensors, as the watching mechanism asks for them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from backlight.core import Array
from backlight.watch.numbers import Block
from backlight.watch.tensors import Tensors
from backlight.watch.torch_nn import statistics
from backlight.watch.torch_nn.plain import INPUTS, PLAIN, plain, tensors_in, why_not_measured


class TorchTensors(Tensors):
    """Tensors of PyTorch."""

    def tensors_in(self, thing: Any) -> Iterable[Any]:
        return (thing,) if isinstance(thing, torch.Tensor) else tensors_in(thing)

    def is_input(self, tensor: Any) -> bool:
        return why_not_measured(tensor, dtypes=INPUTS) is None

    def awaits_gradient(self, tensor: Any) -> bool:
        return bool(tensor.requires_grad and not tensor.is_leaf)

    def why_not_measured(self, tensor: Any) -> str | None:
        return why_not_measured(tensor)

    def values(self, tensor: Any) -> Any:
        return plain(tensor).resolve_neg() if type(tensor) not in PLAIN or tensor.is_neg() else tensor

    def values_of(self, tensors: Sequence[Any]) -> Sequence[Any]:
        return tensors  # a tensor that is not plain is made so where it is measured

    def copied(self, tensor: Any) -> Any:
        return plain(tensor).clone()

    def array(self, tensor: Any) -> Array:
        found = plain(tensor)
        if found.dtype is torch.bfloat16 or found.dtype is torch.float16:
            found = found.float()
        return np.array((found if found.is_cpu and not found.is_neg() else found.resolve_neg().cpu()).numpy())

    def number(self, loss: Any) -> float:
        if not isinstance(loss, torch.Tensor):
            return float(loss)
        if loss.numel() != 1:
            raise ValueError(f"and was given a tensor of shape {tuple(loss.shape)}")
        return float(loss.item())

    def sampled(self, tensor: Any, step: int) -> Any:
        return plain(tensor).reshape(-1)[::step].clone()

    def features(self, tensor: Any, step: int) -> Array:
        x = plain(tensor)
        if step > 1 and x.ndim > 1:
            x = x.flatten(1)[:, ::step] if x.is_floating_point() else x.flatten()[::step]
        return self.array(x)

    def rows(self, tensor: Any, axis: int, most: int, *, spaced: bool = True) -> Array:
        if spaced and axis == 1 and tensor.ndim == 2 and tensor.numel() <= most:
            return self.array(tensor)
        x = plain(tensor)
        rows = x.movedim(axis, -1).flatten(0, -2) if x.ndim > 1 else x.reshape(-1, 1)
        return self.array(rows[:: max(1, -(-rows.numel() // most))] if spaced else rows[:most])

    def measure(
        self, block: Block, values: Sequence[Any | None], *, start: int = 0, less: Sequence[Any] | None = None,
        copies: Sequence[Any] | None = None,
    ) -> None:  # fmt: skip
        statistics.measure(block, values, start=start, less=less, copies=copies)

    def version(self, tensor: Any) -> int:
        return int(tensor._version)
