"""What a layer does, declared on its class: whoever watches a network reads it there."""

from dataclasses import dataclass
from typing import Literal

Role = Literal[
    "linear", "convolution", "embedding", "batch_norm", "norm", "activation", "softmax", "dropout", "recurrent",
    "attention", "pooling", "shape", "container", "other",
]  # fmt: skip
"""What a layer does, whatever its class is called. "shape": moves numbers and changes none."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a class of layers.

    Attributes:
        role: what it does.
        range: what its output cannot leave, if there is such a thing.
        bounded: whether it is flat near the ends of that range.
        one_sided: whether it is 0, without a gradient, for all negative inputs.
        settings: the attributes that say how it was made and that a health check may ask for.
    """

    role: Role
    range: tuple[float, float] | None = None
    bounded: bool = False
    one_sided: bool = False
    settings: tuple[str, ...] = ()


OTHER = Kind("other")
