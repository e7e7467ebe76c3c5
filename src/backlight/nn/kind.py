"""What a layer does, declared on its class for the health checks."""

from dataclasses import dataclass
from typing import Literal

Role = Literal[
    "linear", "convolution", "embedding", "batch_norm", "norm", "activation", "softmax", "dropout", "recurrent",
    "attention", "pooling", "shape", "container", "other",
]  # fmt: skip
"""What a layer does, whatever the name of its class. "shape": rearranges elements without changing them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The properties of a class of layers.

    Attributes:
        role: what the layers do.
        range: the bounds of their output, or None.
        bounded: whether they saturate near the ends of that range.
        one_sided: whether output and gradient are 0 for all negative inputs.
        settings: the names of the attributes that configure a layer and that health checks use.
    """

    role: Role
    range: tuple[float, float] | None = None
    bounded: bool = False
    one_sided: bool = False
    settings: tuple[str, ...] = ()


OTHER = Kind("other")
