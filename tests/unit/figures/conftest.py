"""Axes in the project's style, light and dark."""

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backlight.figures import DARK_STYLE, STYLE


@pytest.fixture
def ax() -> Iterator[Axes]:
    with mpl.rc_context(STYLE):
        yield Figure().subplots()


@pytest.fixture
def dark_ax() -> Iterator[Axes]:
    with mpl.rc_context(DARK_STYLE):
        yield Figure().subplots()
