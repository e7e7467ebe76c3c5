"""What a declared figure gives, and that none is forgotten where figures are listed."""

import importlib
import pkgutil

import numpy as np
import pytest

from backlight import figures
from backlight.core import ConfigError
from backlight.figures import FIGURES, FigureSpec, NoFigureError, figure, figure_spec


def declared():
    """Return every figure with a name in the files of the package, and the file of each."""
    for found in pkgutil.iter_modules(figures.__path__):
        module = importlib.import_module(f"backlight.figures.{found.name}")
        for value in vars(module).values():
            if isinstance(value, FigureSpec) and value.name:
                yield value, f"{found.name}.py"


def test_every_declared_figure_is_listed():
    for spec, file in declared():
        assert FIGURES.get(spec.name) is spec, (
            f"{spec.name} is declared in {file}: list it in FIGURES, in src/backlight/figures/__init__.py"
        )
    assert set(FIGURES) == {spec.name for spec, _ in declared()}


def test_every_figure_says_what_it_shows_and_has_its_functions_name():
    for name, spec in FIGURES.items():
        assert spec.about, (
            f"{name} needs a line about it, @figure({name!r}, about=...): `backlight figures --list` shows it"
        )
        assert getattr(figures, name.replace("-", "_")) is spec, f"import {name} in src/backlight/figures/__init__.py"
        assert spec.__doc__.startswith("Draw "), f"{name} needs a docstring that says what it draws"


def test_a_figure_is_found_by_its_name():
    assert figure_spec("loss") is figures.loss
    with pytest.raises(ConfigError, match=r"got 'nothing'\. See: backlight figures --list"):
        figure_spec("nothing")


@figure("bars", about="bars", size=lambda names: (2 + len(names), 3))
def bars(ax, heights, names=(), *, colour="red"):
    ax.bar(names or range(len(heights)), heights, color=colour)


def test_the_size_may_depend_on_any_of_the_data():
    one = bars([1], ["one"], colour="blue")
    assert (one.width, one.height) == (3, 3)
    assert bars(names=["a", "b"], heights=[1]).width == 4
    assert bars([1, 2, 3]).width == 2
    noted = one.with_note("a note")
    assert noted.height > one.height
    assert noted.to_bytes("svg") != one.to_bytes("svg")
    assert one.with_note("") is one
    with pytest.raises(TypeError, match="missing a required argument: 'heights'"):
        bars()


def test_it_draws_on_axes_of_ones_own(ax):
    bars.draw(ax, np.array([1.0, 4.0]))
    assert [patch.get_height() for patch in ax.patches] == [1, 4]


def test_a_notebook_shows_it():
    assert bars([1])._repr_png_() == bars([1]).to_bytes()


def test_a_figure_of_plain_data_has_no_run():
    with pytest.raises(NoFigureError, match="only be drawn from plain data"):
        bars.of(None)
