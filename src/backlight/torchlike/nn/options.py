"""Arguments that the constructors of layers share."""

from typing import Any

import numpy as np

from backlight.core import ConfigError
from backlight.core.arguments import shown
from backlight.torchlike._new import dtype_or, new_tensor
from backlight.torchlike.nn.parameter import Parameter


def empty_parameter(shape: tuple[int, ...], device: Any, dtype: Any) -> Parameter:
    """Return a parameter with uninitialised elements, of float32 by default.

    Raises:
        ConfigError: another device than the CPU, or a dtype that is not of floats.
    """
    kind = dtype_or(dtype, np.float32)
    if kind.kind != "f":
        raise ConfigError(f"a layer needs a floating-point dtype; got {kind}.")
    new_tensor(np.empty(0, kind), device=device)  # checks the device
    return Parameter(np.empty(shape, kind))


def refuse(layer: str, **settings: tuple[Any, Any]) -> None:
    """Raise ConfigError for the first argument that differs from the only value that is supported.

    Args:
        layer: the name of the layer, for the message.
        settings: by name, the value that was given and the value that is supported.
    """
    for name, (given, supported) in settings.items():
        if type(given) is not type(supported) or given != supported:
            raise ConfigError(f"{layer} supports only {name}={supported!r}; got {shown(given)}. Leave it out.")
