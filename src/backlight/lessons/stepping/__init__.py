"""The backward pass of a graph, one box at a time, with a slider: what a notebook displays for `stepping(loss)`."""

from typing import Any

from backlight.autograd import Value
from backlight.core import GraphError
from backlight.explanation import Explanation, explain
from backlight.lessons.stepping.walk import Walk
from backlight.studio.displayed import shows_widgets

__all__ = ["Walk", "stepping"]


def stepping(end: Value | Explanation, *, title: str = "") -> Any:
    """Return the backward pass of a graph for a notebook to display, with a slider from no gradient to all gradients.

    At each step one box passes its gradient back along its incoming arrows: local derivative x gradient from above. The
    graph shows the gradients so far, a table the products, and a line below explains the step.

        a, b = Value(2.0, label="a"), Value(-3.0, label="b")
        stepping((a * b + 10).tanh())

    The graph is not changed: no `grad` is read or written.

    Args:
        end: the Value to differentiate, or its explanation, in which nodes may have other names.
        title: a line above the graph.

    Returns:
        A widget, whose attribute `step` is the position of the slider. Where widgets are not displayed, where a program
        runs the notebook (such as nbconvert), and where `anywidget` is missing (it is part of
        `pip install 'backlight[notebook]'`), it is a still figure with all gradients.

    Raises:
        GraphError: `end` is neither a Value nor the explanation of one, or has more nodes than a figure can show.
    """
    if isinstance(end, Value):
        end = explain(end)
    if not isinstance(end, Explanation):
        raise GraphError(
            f"stepping needs a Value, or the explanation of one; got {type(end).__name__}. For a Tensor: explain(it)."
        )
    walk = Walk(end, title)
    if not shows_widgets():
        return walk
    from backlight.lessons.stepping.live import Stepping

    return Stepping(walk)
