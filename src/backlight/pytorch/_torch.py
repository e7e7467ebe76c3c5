"""The check that PyTorch is there, before anything of ours imports it."""

import importlib.util

from backlight.core import BacklightError


class TorchMissingError(BacklightError, ImportError):
    """PyTorch, an extra of this package, is not installed."""


if importlib.util.find_spec("torch") is None:
    raise TorchMissingError(
        "backlight.pytorch needs PyTorch; got none in this environment. Run: pip install 'backlight[torch]'"
    )
