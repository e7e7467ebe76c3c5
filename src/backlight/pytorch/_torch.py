"""Check that PyTorch is installed, before anything imports it."""

import importlib.util

from backlight.core import BacklightError


class TorchMissingError(BacklightError, ImportError):
    """PyTorch, an optional dependency, is not installed."""


if importlib.util.find_spec("torch") is None:
    raise TorchMissingError(
        "backlight.pytorch needs PyTorch, which is not installed. Run: pip install 'backlight[torch]'"
    )
