"""The backward pass of a graph, one box at a time, with a slider: what a notebook displays for `stepping(loss)`."""

import os
import sys
from importlib.util import find_spec
from typing import Any

from backlight.autograd import Value
from backlight.core import GraphError
from backlight.explanation import Explanation, explain
from backlight.lessons.display import FOR_PAGES
from backlight.lessons.stepping.walk import Walk

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
    if os.environ.get(FOR_PAGES) or _not_interactive():
        return walk
    if find_spec("anywidget") is None:
        return walk
    from backlight.lessons.stepping.live import Stepping

    return Stepping(walk)


def _not_interactive() -> bool:
    """Return whether a program runs the cells that allows no input from a user, who could move the slider."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(getattr(shell, "kernel", None), "_allow_stdin", True) is False
