"""Whether a notebook can display a widget, and what it displays otherwise: shared by all widgets of the package."""

import os
import sys
from importlib.util import find_spec
from typing import Any, Final

FOR_PAGES: Final = "BACKLIGHT_FOR_PAGES"
"""If this environment variable is set, cells are run for the pages of the course, which have no kernel."""

INSTALL: Final = "pip install 'backlight[notebook]'"


def shows_widgets() -> bool:
    """Return whether a user sees widgets: anywidget is there, and no program such as nbconvert runs the cells."""
    return not os.environ.get(FOR_PAGES) and _kernel_allows_input() is not False and has_anywidget()


def has_anywidget() -> bool:
    """Return whether anywidget is installed."""
    return find_spec("anywidget") is not None


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    return _kernel_allows_input() is not None


def _kernel_allows_input() -> bool | None:
    """Return whether the kernel of the notebook allows input from a user; None if there is no kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    kernel = getattr(shell, "kernel", None)
    return None if kernel is None else getattr(kernel, "_allow_stdin", True)


def with_still(made: Any, *, text: str, still: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data of a widget's cell, with what is displayed where there are no widgets, and saved with a notebook.

    Args:
        made: what the widget's own `_repr_mimebundle_` returned.
        text: a line.
        still: HTML.
    """
    data, metadata = made if isinstance(made, tuple) else (made or {}, {})
    return {**data, "text/plain": text, "text/html": still}, metadata
