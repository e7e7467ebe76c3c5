"""`torch.amp`, mixed precision, which Backlight does not have: every number stays in its own dtype."""

import warnings
from contextlib import ContextDecorator
from typing import Any, Self

from backlight.core import missing

__all__ = ["GradScaler", "autocast"]

__path__: list[str] = []  # as of a package, so that an import of a name that is not there is explained
__getattr__ = missing.names_of("torch.amp", missing.CUDA)


class autocast(ContextDecorator):  # noqa: N801  (PyTorch's name)
    """Do nothing: computations stay in float32, where PyTorch would use 16 bits on a device that has them.

    On the CPU, PyTorch computes in bfloat16 inside an enabled autocast, so its numbers differ; a warning says so.

    Args:
        device_type: "cuda" or "cpu".
        dtype: the dtype that PyTorch would use.
        enabled: whether PyTorch would use it.
        cache_enabled: changes nothing.
    """

    def __init__(
        self, device_type: Any = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: Any = None
    ) -> None:
        del dtype, cache_enabled
        if enabled and str(getattr(device_type, "type", device_type)) == "cpu":
            warnings.warn(
                "autocast has no effect: computations stay in float32, more exact than PyTorch's bfloat16.",
                stacklevel=2,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the block."""


class GradScaler:
    """A scaler of losses that is switched off, as PyTorch's is without a GPU. Its arguments change nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def scale(self, outputs: Any) -> Any:
        """Return the loss as it is."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Do nothing: gradients are not scaled."""

    def step(self, optimizer: Any, *inputs: Any, **settings: Any) -> Any:
        """Return `optimizer.step()`."""
        return optimizer.step(*inputs, **settings)

    def update(self, new_scale: Any = None) -> None:
        """Do nothing: there is no scale."""

    def is_enabled(self) -> bool:
        """Return False."""
        return False

    def get_scale(self) -> float:
        """Return 1."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """Return an empty state."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing: there is no state."""
