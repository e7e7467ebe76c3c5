"""Pictures of layers show what the records say, layer by layer, of the last recorded step."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from backlight import figures
from backlight.figures import STYLE, NoFigureError, SizedFigure
from backlight.figures.measured import MOST_ROWS
from backlight.watch.records import (
    Histogram,
    LayerFacts,
    LayerRecord,
    Measurements,
    ParameterFacts,
    ParameterRecord,
    Spread,
    StepRecord,
    UnitMap,
)

SATURATED = np.array([[1, 0, 1], [1, 0, 0]], bool)


def spread(std: float, *counts: int, reach: float = 1.0) -> Spread:
    histogram = Histogram(low=-reach, high=reach, counts=counts) if counts else None
    return Spread(count=8, mean=0.0, std=std, rms=std, low=-1, high=1, nonfinite=0, histogram=histogram)


def step(number: int, *, update: float | None = None) -> StepRecord:
    bits = np.packbits(SATURATED).tobytes().hex()
    return StepRecord(
        step=number,
        loss=2.0,
        layers=(
            LayerRecord(name="first", output=spread(1.5, 1, 2, reach=8)),
            LayerRecord(
                name="squash", output=spread(0.6, 3, 1), gradient=spread(1e-4, 4, 4, reach=2**-9), saturated=0.031,
                unit_map=UnitMap(rows=2, units=3, bits=bits),
            ),
            LayerRecord(name="last", output=spread(0.1)),
        ),
        parameters=(
            ParameterRecord(
                name="first.weight", data=spread(0.2), gradient=spread(2e-3, 5, 6, reach=2**-6), grad_to_data=1e-2,
                update_to_data=update,
            ),
            ParameterRecord(name="first.bias", data=spread(0.2), gradient=spread(1.0, 7, 7), grad_to_data=5.0),
        ),
    )  # fmt: skip


def measurements(*steps: StepRecord, **changes: Any) -> Measurements:
    given: dict[str, Any] = {
        "framework": "backlight",
        "source": "watch",
        "model": "MLP",
        "layers": (
            LayerFacts(name="first", kind="Linear", role="linear"),
            LayerFacts(name="squash", kind="Tanh", role="activation", bounded=True, reads=("first",)),
            LayerFacts(name="last", kind="Linear", role="linear"),
        ),
        "parameters": (
            ParameterFacts(name="first.weight", layer="first", shape=(2, 3), weight_matrix=True),
            ParameterFacts(name="first.bias", layer="first", shape=(3,), weight_matrix=False),
        ),
        "steps": steps or (step(0),),
    }
    return Measurements(**{**given, **changes})


def axes_of(figure: SizedFigure):
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(figure.width, figure.height), layout=figure.layout)
        figure.draw(drawn)
    return drawn.axes


def rows(figure: SizedFigure):
    """Return names, notes and heights of the rows of histograms."""
    (ax,) = axes_of(figure)
    names = [label.get_text() for label in ax.get_yticklabels()]
    heights = [(place - line.get_ydata())[::2] / 0.86 for place, line in enumerate(ax.lines[1:])]
    return names, [text.get_text() for text in ax.texts], heights


def test_activations_are_those_of_the_non_linear_layers():
    names, notes, (heights,) = rows(figures.activations.of(measurements()))
    assert (names, notes) == (["squash"], ["std 0.60, 3.1% saturated"])
    assert heights == pytest.approx([1, 1 / 3])


def test_preactivations_are_what_those_layers_read():
    names, notes, (heights,) = rows(figures.preactivations.of(measurements()))
    assert (names, notes) == (["first"], ["std 1.50"])
    assert heights == pytest.approx([0.5, 1])


def test_gradients_of_activations_and_of_weight_matrices():
    names, notes, _ = rows(figures.activation_gradients.of(measurements()))
    assert (names, notes) == (["squash"], ["std 1.0e-04"])
    names, notes, (heights,) = rows(figures.weight_gradients.of(measurements()))
    assert (names, notes) == (["first"], ["std 2.0e-03"])  # and not the bias
    assert heights == pytest.approx([5 / 6, 1])


def test_maps_show_each_bit_at_its_example_and_unit():
    (ax,) = axes_of(figures.saturation.of(measurements()))
    assert ax.images[0].get_array().tolist() == [[2, 0, 1], [2, 0, 0]]
    (ax,) = axes_of(figures.dead_units.of(measurements()))
    assert ax.images[0].get_array().tolist() == [[0, 1, 0.5]]
    assert [text.get_text() for text in ax.texts] == ["1 of 3"]


def test_ratios_are_those_of_weight_matrices():
    (ax,) = axes_of(figures.gradient_to_data.of(measurements()))
    assert ax.collections[-1].get_offsets().tolist() == [[1e-2, 0]]
    steps = (step(0, update=1e-3), step(10), step(20, update=2e-3))
    (ax,) = axes_of(figures.update_to_data.of(measurements(*steps)))
    assert ax.lines[0].get_xdata().tolist() == [0, 10, 20]
    assert ax.lines[0].get_ydata()[[0, 2]].tolist() == [1e-3, 2e-3]
    assert np.isnan(ax.lines[0].get_ydata()[1])
    assert [text.get_text() for text in ax.texts] == ["first", "1e-3"]


def test_the_last_recorded_step_is_shown():
    early = StepRecord(step=0, loss=3.0, layers=(LayerRecord(name="squash", output=spread(0.1, 1, 1)),))
    _, notes, _ = rows(figures.activations.of(measurements(early, step(10), StepRecord(step=11, loss=2.0))))
    assert notes == ["std 0.60, 3.1% saturated"]


def test_maps_are_of_the_last_step_that_has_some():
    later = StepRecord(step=20, loss=2.0, layers=(LayerRecord(name="squash", output=spread(0.1, 1, 1)),))
    for spec in (figures.saturation, figures.dead_units):
        assert len(axes_of(spec.of(measurements(step(10), later)))) == 1
    _, notes, _ = rows(figures.activations.of(measurements(step(10), later)))
    assert notes == ["std 0.10"]


LAYERS = ("activations", "preactivations", "activation-gradients", "weight-gradients", "saturation", "dead-units",
          "gradient-to-data", "update-to-data")  # fmt: skip


@pytest.mark.parametrize("spec", [figures.FIGURES[name] for name in LAYERS], ids=LAYERS)
def test_what_was_not_measured_is_said(spec):
    bare = StepRecord(step=0, loss=2.0, layers=(LayerRecord(name="other", output=spread(1.0)),))
    for found in (measurements(bare), measurements(steps=())):
        with pytest.raises(NoFigureError, match="it needs "):
            spec.of(found)


def deep(count: int) -> Measurements:
    """A net of many layers: the fifth has the largest gradient, the last but three the smallest."""
    sizes = {4: 9.0, count - 4: 1e-6}
    matrices = tuple(
        ParameterRecord(
            name=f"layer{i}.weight", data=spread(0.2), gradient=spread(sizes.get(i, 0.1), 5, 6),
            grad_to_data=sizes.get(i, 0.1), update_to_data=sizes.get(i, 0.1),
        )
        for i in range(count)
    )  # fmt: skip
    bits = np.packbits(np.ones((2, 3), bool)).tobytes().hex()
    layers = tuple(
        LayerRecord(
            name=f"act{i}", output=spread(0.5, 1, 2), saturated=0.1,
            unit_map=UnitMap(rows=2, units=3, bits=bits if i == 6 else "00"),
        )
        for i in range(count)
    )  # fmt: skip
    return measurements(
        *(StepRecord(step=at, loss=2.0, layers=layers, parameters=matrices) for at in (0, 1)),
        layers=tuple(LayerFacts(name=f"act{i}", kind="Tanh", role="activation", bounded=True) for i in range(count)),
        parameters=tuple(
            ParameterFacts(name=f"layer{i}.weight", layer=f"layer{i}", shape=(3, 3), weight_matrix=True)
            for i in range(count)
        ),
    )


@pytest.mark.parametrize(
    ("spec", "first", "last", "outliers"),
    [
        (figures.weight_gradients, "layer0", "layer199", {"layer4", "layer196"}),
        (figures.gradient_to_data, "layer0", "layer199", {"layer4", "layer196"}),
        (figures.dead_units, "act0", "act199", {"act6"}),
        (figures.activations, "act0", "act199", set()),
    ],
)
def test_of_many_layers_some_are_shown_with_the_outliers(spec: Any, first: str, last: str, outliers: Any) -> None:
    ax, *_ = axes_of(spec.of(deep(200)))
    figure = ax.get_figure()
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert 16 <= len(names) <= MOST_ROWS
    assert (names[0], names[-1]) == (first, last)
    assert outliers <= set(names)
    order = [int("".join(filter(str.isdigit, name))) for name in names]
    assert order == sorted(order)
    assert figure.get_supxlabel() == f"{len(names)} of 200: spread evenly, with the 6 smallest and the 6 largest"


def test_of_few_layers_all_are_shown_and_nothing_is_said() -> None:
    ax, *_ = axes_of(figures.weight_gradients.of(deep(MOST_ROWS)))
    assert len(ax.get_yticklabels()) == MOST_ROWS
    assert ax.get_figure().get_supxlabel() == ""
