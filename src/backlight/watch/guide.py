"""What becomes of one parameter's gradient between the backward pass and the optimiser's step."""

from collections.abc import Callable, Sequence
from typing import Any

from backlight.watch.adapter import Adapter, Remove


class Guide:
    """Follows the gradient of one parameter, the last that learns: its norm shows whether it was clipped or zeroed.

    Args:
        adapter: the network and its framework.
        on_error: called with what went wrong in a hook.

    Attributes:
        backward_norm, step_norm: see `StepRecord`.
    """

    def __init__(self, adapter: Adapter, on_error: Callable[[Exception], None]) -> None:
        self._adapter = adapter
        self._on_error = on_error
        self._remove: Remove | None = None
        self._parameter: Any = None
        self.clear()

    def clear(self) -> None:
        """Forget the step before."""
        self.backward_norm: float | None = None
        self.step_norm: float | None = None

    def attach(self, parameters: Sequence[Any]) -> None:
        """Follow one of these parameters."""
        self.detach()
        self._parameter = next((one for one in reversed(parameters) if one.requires_grad), None)
        if self._parameter is not None:
            self._remove = self._adapter.on_accumulated(self._parameter, self._on_accumulated)

    def detach(self) -> None:
        """Follow none."""
        if self._remove is not None:
            self._remove()
        self._remove = self._parameter = None

    def _on_accumulated(self, gradient: Any) -> None:
        try:
            if self._adapter.why_not_measured(gradient) is None:
                self.backward_norm = self._adapter.norm([gradient])
        except Exception as error:  # noqa: BLE001  (it is shown as "not measured")
            self._on_error(error)

    def read(self, stepped: Sequence[Any], scale: float) -> None:
        """Read the gradient as an optimiser finds it.

        Args:
            stepped: the parameters that the optimiser is about to step.
            scale: what it divides their gradients by.
        """
        if self.step_norm is None and any(one is self._parameter for one in stepped):
            (gradient,) = self._adapter.gradients([self._parameter])
            self.step_norm = 0.0 if gradient is None else self._adapter.norm([gradient]) / scale
