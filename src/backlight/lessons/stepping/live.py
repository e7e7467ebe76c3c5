"""The widget. Only this module imports anywidget, and it is imported only when a widget is displayed."""

from typing import Any

import anywidget
import traitlets

from backlight.lessons.stepping.walk import Walk, asset
from backlight.studio.displayed import with_still


class Stepping(anywidget.AnyWidget):
    """A backward pass with a slider. It contains everything it displays, so it needs no kernel afterwards.

    Args:
        walk: the backward pass.

    Attributes:
        step: the position of the slider; at 0 no gradient is known, at the last step all are.
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
        """Return the widget and, for where widgets are not displayed, the still figure."""
        return with_still(super()._repr_mimebundle_(**kwargs), text=repr(self), still=self._walk.still)
