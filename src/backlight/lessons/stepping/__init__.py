"""The walk back through a graph, one box at a time, under a slider: what a notebook shows of `stepping(loss)`."""

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
    """Return the backward pass of a graph for a notebook to show, with a slider from nothing known to all gradients.

    At each step one box hands its gradient back: local derivative x gradient from above = share, along each of its
    arrows. The graph shows what has arrived so far, a table the products, and a line below says why.

        a, b = Value(2.0, label="a"), Value(-3.0, label="b")
        stepping((a * b + 10).tanh())

    The graph is left as it is: no `grad` is read or written.

    Args:
        end: what to differentiate, or its explanation, in which nodes may have other names.
        title: a line above.

    Returns:
        A widget, whose attribute `step` says where the slider is. A still picture, with every gradient known, where
        `anywidget` is missing (it is part of `pip install 'backlight[notebook]'`), where nobody looks, as when
        nbconvert runs a notebook, and wherever widgets are not shown.

    Raises:
        GraphError: neither a Value nor the explanation of one, or more nodes than a picture can show.
    """
    if isinstance(end, Value):
        end = explain(end)
    if not isinstance(end, Explanation):
        raise GraphError(
            f"stepping needs a Value, or the explanation of one; got {type(end).__name__}. For a Tensor: explain(it)."
        )
    walk = Walk(end, title)
    if os.environ.get(FOR_PAGES) or _nobody_looks():
        return walk
    if find_spec("anywidget") is None:
        return walk
    from backlight.lessons.stepping.live import Stepping

    return Stepping(walk)


def _nobody_looks() -> bool:
    """Return whether a program runs the cells, one that cannot be asked anything: no hand would move the slider."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(getattr(shell, "kernel", None), "_allow_stdin", True) is False
