"""How one kind of module is built again in PyTorch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from backlight.nn import Module

Conversion = Callable[[Module], torch.nn.Module]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One kind of module and its twin.

    Attributes:
        build: takes a module of ours and `to_torch`, for the twins of its children; returns PyTorch's module.
        names: PyTorch's names of this module's own parameters, where they differ from ours.
        transposed: our names of those that PyTorch keeps transposed.
    """

    build: Callable[[Any, Conversion], torch.nn.Module]
    names: Mapping[str, str] = field(default_factory=dict)
    transposed: frozenset[str] = frozenset()


def layer(
    build: Callable[[Any], torch.nn.Module], *, names: Mapping[str, str] | None = None, transposed: tuple[str, ...] = ()
) -> Entry:
    """Return the entry of a layer, which has no modules below it: `build` takes only the layer."""
    return Entry(build=lambda ours, _: build(ours), names=names or {}, transposed=frozenset(transposed))
