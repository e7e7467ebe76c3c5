"""What a picture of the course is: a function that draws on axes, for `show`."""

from collections.abc import Callable

from matplotlib.axes import Axes

Draw = Callable[[Axes], None]
