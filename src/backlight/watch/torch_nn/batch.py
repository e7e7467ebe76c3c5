"""One batch that a PyTorch network is examined with."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from backlight.core import Array, ConfigError, FloatArray
from backlight.watch.adapter import BatchView
from backlight.watch.torch_nn.plain import output_of, plain


class TorchBatch:
    """What a model is given, and how its output becomes a loss.

    Args:
        model: the model.
        inputs, targets, loss: see `backlight.health.examine`.

    Raises:
        ConfigError: there is no example in it.
    """

    def __init__(self, model: torch.nn.Module, inputs: Any, targets: Any, loss: Any) -> None:
        if targets is None and isinstance(inputs, (tuple, list)) and len(inputs) == 2:
            inputs, targets = inputs
        self._model = model
        self._kwargs: dict[str, Any] = dict(inputs) if isinstance(inputs, Mapping) else {}
        self._args: tuple[Any, ...] = () if self._kwargs else inputs if isinstance(inputs, tuple) else (inputs,)
        self._targets = targets
        self._loss = loss
        named: list[tuple[int | str, Any]] = [*enumerate(self._args), *self._kwargs.items()]
        self._first = next((name for name, one in named if isinstance(one, torch.Tensor) and one.ndim), None)
        self._named = [(str(name), one) for name, one in named]

    def view(self) -> BatchView:
        """Return the batch as the mechanism takes it."""
        x = self._x()
        if x is not None and not len(x):
            raise ConfigError(f"a batch must have at least one example; got inputs of shape {tuple(x.shape)}.")
        y = self._targets if isinstance(self._targets, torch.Tensor) else None
        return BatchView(
            run=self._run, loss=self._loss_of, args=self._args, kwargs=self._kwargs,
            x=None if x is None or x.is_complex() or x.layout is not torch.strided else _array(x),
            y=None if y is None else _array(y), others=dict(self._others()), run_with=self._run_with,
            loss_at=self._loss_at,
            tied=x is not None and any(_ties(one, len(x)) for one in self._beside(x)),
        )  # fmt: skip

    def _x(self) -> torch.Tensor | None:
        """Return the first tensor, on which experiments are made."""
        if self._first is None:
            return None
        found: torch.Tensor = self._args[self._first] if isinstance(self._first, int) else self._kwargs[self._first]
        return found

    def _others(self) -> Iterator[tuple[str, Array]]:
        """Yield the further inputs that have a row for each example, but for targets that the model is given too."""
        first = self._x()
        for name, one in self._named:
            if name == str(self._first) or first is None or not isinstance(one, torch.Tensor) or not one.ndim:
                continue
            if re.search("label|target", name) or one.layout is not torch.strided or one.is_complex():
                continue
            if one.shape[0] == len(first):
                yield name, _array(one)

    def _beside(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the tensors that the first input is read beside: further inputs and the model's buffers."""
        for one in (*self._args, *self._kwargs.values(), *self._model.buffers()):
            if isinstance(one, torch.Tensor) and one is not x:
                yield one

    def _run(self, x: Array | None) -> Any:
        return self._model(*self._args, **self._kwargs) if x is None else self._run_with(str(self._first), x)

    def _run_with(self, name: str, x: Array) -> Any:
        args, kwargs = list(self._args), dict(self._kwargs)
        place: Any = name if name in kwargs else int(name)
        into: Any = kwargs if name in kwargs else args
        given = torch.from_numpy(np.ascontiguousarray(x))
        into[place] = given.to(device=into[place].device, dtype=into[place].dtype)
        return self._model(*args, **kwargs)

    def _loss_at(self, output: Any, array: FloatArray) -> float | None:
        if not isinstance(output, torch.Tensor):
            return None
        loss = self._loss_of(torch.from_numpy(array).to(output))
        return None if loss is None or loss.numel() != 1 else float(loss)

    def _loss_of(self, output: Any) -> torch.Tensor | None:
        """Return the loss of an output: by the function that was given, or by what output and targets look like."""
        if self._loss is not None:
            return self._loss(output, self._targets)  # type: ignore[no-any-return]
        own = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
        if isinstance(own, torch.Tensor) and own.numel() == 1:
            return own
        return None if self._targets is None else usual_loss(output_of(output), self._targets)


def _ties(beside: torch.Tensor, rows: int) -> bool:
    """Return whether a tensor says which of so many rows belong together: the edges of a graph whose nodes they are."""
    if beside.layout is not torch.strided or beside.shape == (rows, rows):
        return True  # a matrix of neighbours
    ids = beside.ndim == 2 and 2 in beside.shape and beside.dtype in {torch.int64, torch.int32} and beside.numel() > 0
    return ids and beside.shape[0] != rows and int(beside.min()) >= 0 and int(beside.max()) < rows


def usual_loss(logits: torch.Tensor | None, y: Any) -> torch.Tensor:
    """Return the cross-entropy of whole-numbered targets, the mean squared error of others.

    Raises:
        ConfigError: the shapes do not go together.
    """
    if logits is not None and isinstance(y, torch.Tensor):
        if y.is_floating_point() and y.shape == logits.shape:
            return torch.nn.functional.mse_loss(logits, y)
        if not y.is_floating_point() and y.shape == logits.shape[:-1]:
            flat = logits.reshape(-1, logits.shape[-1])
            ignored = min(-1, int(y.min()))  # -1 or -100, if some targets are not to count
            return torch.nn.functional.cross_entropy(flat, y.reshape(-1).long(), ignore_index=ignored)
        if not y.is_floating_point() and y.shape == logits.shape[:1] + logits.shape[2:]:
            return torch.nn.functional.cross_entropy(logits, y.long())
    shapes = "no tensor" if logits is None else f"outputs of shape {tuple(logits.shape)}"
    given = f"{y.dtype} targets of shape {tuple(y.shape)}" if isinstance(y, torch.Tensor) else f"a {type(y).__name__}"
    raise ConfigError(
        f"outputs and targets must go together, a target for each row; got {shapes} and {given}. "
        "Check the batch, or pass loss=, a function of both."
    )


def _array(tensor: torch.Tensor) -> Array:
    found = plain(tensor)
    return np.array((found.float() if found.dtype in {torch.bfloat16, torch.float16} else found).cpu().numpy())
