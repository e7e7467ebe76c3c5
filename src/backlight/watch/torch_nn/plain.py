"""PyTorch's tensors: which of them can be measured, and where they are in what modules take and give."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import torch

PLAIN: Final = frozenset({torch.Tensor, torch.nn.Parameter})
"""The classes whose numbers lie where `data_ptr` says."""

_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor

DTYPES: Final = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
"""What can be measured."""

INPUTS: Final = DTYPES | {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
"""What an input can be: ids too."""


def tensors_in(thing: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in something in order, however deep tuples, lists, dicts and dataclasses are nested."""
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


def why_not_measured(tensor: torch.Tensor, *, dtypes: frozenset[torch.dtype] = DTYPES) -> str | None:
    """Return why a tensor cannot be measured; None if it can.

    Args:
        tensor: the tensor.
        dtypes: what its numbers may be.
    """
    kind = type(tensor)
    # a subclass that dispatches by itself may be a wrapper around other tensors
    if kind not in PLAIN and kind.__torch_dispatch__ is not torch._C._disabled_torch_dispatch_impl:
        return f"it is a {kind.__name__}, whose numbers lie elsewhere"
    if _is_wrapped(tensor):
        return "it is inside a transformation of torch.func"
    if tensor.dtype not in dtypes:
        return f"its numbers are {str(tensor.dtype).removeprefix('torch.')}"
    if tensor.layout is not torch.strided:
        return f"its layout is {str(tensor.layout).removeprefix('torch.')}"
    if tensor.is_meta:
        return "it is on the meta device, which holds no numbers"
    return None if tensor.numel() else "it holds no number"


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return a measurable tensor without its graph and as PyTorch's own class."""
    found = tensor.detach()
    return found if type(found) in PLAIN else found.as_subclass(torch.Tensor)


def output_of(result: Any) -> torch.Tensor | None:
    """Return the tensor that a model's result is about: what it calls its logits, or the first that is no number."""
    if isinstance(result, Mapping) and "logits" in result:
        result = result["logits"]
    return next((one for one in tensors_in(result) if one.ndim and why_not_measured(one) is None), None)


def mapped(thing: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Return a copy of something in which each tensor is changed, in tuples, lists and mappings too."""
    if isinstance(thing, torch.Tensor):
        return change(thing)
    if isinstance(thing, Mapping):
        return {key: mapped(one, change) for key, one in thing.items()}
    if type(thing) in {tuple, list}:
        return type(thing)(mapped(one, change) for one in thing)
    return copy.deepcopy(thing)
