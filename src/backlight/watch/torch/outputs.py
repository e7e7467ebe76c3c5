"""Tensors in what modules take and give: alone, or inside tuples, lists, dicts, dataclasses, however deep."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch


def tensors_in(thing: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in order."""
    if isinstance(thing, torch.Tensor):
        yield thing
    elif isinstance(thing, Mapping):
        for one in thing.values():
            yield from tensors_in(one)
    elif isinstance(thing, (tuple, list)):
        for one in thing:
            yield from tensors_in(one)
    elif is_dataclass(thing) and not isinstance(thing, type):
        for field in fields(thing):
            yield from tensors_in(getattr(thing, field.name))


def measurable(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is one of numbers with a scale: real, floating point, dense, not empty."""
    return (
        tensor.is_floating_point()
        and tensor.layout is torch.strided
        and not tensor.is_quantized
        and tensor.device.type != "meta"
        and tensor.numel() > 0
    )


def principal(output: Any) -> torch.Tensor | None:
    """Return the tensor that a model's output is about: what it calls its logits, or the first that is not a number."""
    if isinstance(output, Mapping) and "logits" in output:
        output = output["logits"]
    return next((one for one in tensors_in(output) if one.ndim and measurable(one)), None)


def first_measurable(thing: Any) -> torch.Tensor | None:
    """Return the first tensor that can be measured: of a recurrent layer's (states, last state) the states."""
    if type(thing) is torch.Tensor:
        return thing if measurable(thing) else None
    return next(filter(measurable, tensors_in(thing)), None)


def inputs_of(args: Any, kwargs: Any) -> list[tuple[str, torch.Tensor]]:
    """Return what a model was given, by place or keyword."""
    named = [*((str(at), one) for at, one in enumerate(args)), *kwargs.items()]
    found = [(name, list(tensors_in(one))) for name, one in named]
    return [
        (name if len(tensors) == 1 else f"{name}.{at}", tensor)
        for name, tensors in found
        for at, tensor in enumerate(tensors)
        if tensor.numel() and tensor.layout is torch.strided and not tensor.is_complex()
    ]
