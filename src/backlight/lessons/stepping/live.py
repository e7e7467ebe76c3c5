"""The widget. This is the only place that imports anywidget, and is imported only where a walk is shown."""

from typing import Any

import anywidget
import traitlets

from backlight.lessons.stepping.walk import Walk, asset


class Stepping(anywidget.AnyWidget):
    """A walk under a slider. Everything it shows comes with it, so it needs no kernel once it is there.

    Args:
        walk: what to show.

    Attributes:
        step: where the slider is; 0 knows nothing, the last knows every gradient.
    """

    _esm = asset("stepping.js")
    _css = asset("stepping.css")

    drawing = traitlets.Unicode().tag(sync=True)
    steps: traitlets.List[Any] = traitlets.List().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        super().__init__(drawing=walk.drawing, steps=walk.steps)

    @traitlets.validate("step")
    def _within(self, proposal: Any) -> int:
        return int(max(0, min(proposal["value"], len(self.steps) - 1)))

    def __repr__(self) -> str:
        return repr(self._walk)

    def _repr_html_(self) -> str:
        return self._walk.still

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Return the widget and, for where there are none, the still picture."""
        made = super()._repr_mimebundle_(**kwargs)
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return {**data, "text/plain": repr(self), "text/html": self._walk.still}, metadata
