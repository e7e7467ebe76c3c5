"""Measurements survive a trip through JSON, whatever they hold; what is not a measurement is refused in one line."""

import json
import math
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.core import DataError
from backlight.watch import records as m
from backlight.watch.records_json import from_json, to_json

SPREAD = m.Spread(
    count=4, mean=0.5, std=1.0, rms=1.25, low=-1.0, high=2.0, nonfinite=0,
    histogram=m.Histogram(low=-4.0, high=4.0, counts=(1, 2, 1)),
)  # fmt: skip
STEP = m.StepRecord(
    step=3,
    loss=3.25,
    lr=(0.1,),
    layers=(m.LayerRecord(name="fc", output=SPREAD, gradient=SPREAD, saturated=0.5, units=4),),
    parameters=(m.ParameterRecord(name="fc.weight", data=SPREAD, moved=True),),
    inputs=(m.InputRecord(name="0", shape=(2, 2), ids=False, values=SPREAD),),
)
WHOLE = m.Measurements(
    framework="torch",
    source="watch",
    model="Net",
    total_steps=4,
    layers=(m.LayerFacts(name="fc", kind="Linear", role="linear", settings={"p": 0.5, "flag": True, "mode": None}),),
    optimiser=m.OptimiserFacts(kind="SGD", groups=({"lr": 0.1, "momentum": 0},)),
    steps=(STEP,),
    losses=(m.LossPoint(step=0, loss=3.25),),
    first_nonfinite=m.NonFinite(where="fc", direction="forward", step=3, inputs_finite=True),
)


def test_measurements_come_back_from_json() -> None:
    text = json.dumps(to_json(WHOLE), allow_nan=False)
    assert from_json(m.Measurements, json.loads(text)) == WHOLE


def test_what_is_at_its_default_is_not_written() -> None:
    assert to_json(m.LossPoint(step=1, loss=2.0)) == {"step": 1, "loss": 2.0}
    assert to_json(m.StepRecord(step=1, loss=2.0)) == {"step": 1, "loss": 2.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_a_string_and_comes_back(value: float) -> None:
    written = to_json(replace(STEP, loss=value, target_mean=value))
    assert written["loss"] == {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    back = from_json(m.StepRecord, json.loads(json.dumps(written, allow_nan=False)))
    assert repr(back.loss) == repr(back.target_mean) == repr(value)
    point = from_json(m.LossPoint, to_json(m.LossPoint(step=1, loss=value)))
    assert repr(point.loss) == repr(value)


def test_what_was_not_measured_is_absent_and_never_null() -> None:
    assert "loss" not in to_json(m.StepRecord(step=1, loss=None))
    assert "null" not in json.dumps(to_json(WHOLE)).replace('"mode": null', "")


def test_a_null_of_version_1_is_nan_where_a_number_must_be() -> None:
    assert math.isnan(from_json(m.LossPoint, {"step": 1, "loss": None}).loss)
    assert from_json(m.StepRecord, {"step": 1, "loss": None}).loss is None


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_float32_comes_back_to_seven_digits(value: float) -> None:
    back = from_json(m.LossPoint, to_json(m.LossPoint(step=0, loss=value))).loss
    assert back == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ([1], "object"),
        ({"loss": 1.0}, "'step'"),
        ({"step": 1, "loss": 1.0, "extra": 2}, "'extra'"),
        ({"step": "1", "loss": 1.0}, "StepRecord.step"),
        ({"step": True, "loss": 1.0}, "StepRecord.step"),
        ({"step": 1, "loss": "x"}, "StepRecord.loss"),
        ({"step": 1, "loss": 1.0, "layers": 3}, "StepRecord.layers"),
        ({"step": 1, "loss": 1.0, "layers": [{"name": "fc"}]}, "'output'"),
    ],
)
def test_what_does_not_fit_is_refused(values: Any, named: str) -> None:
    with pytest.raises(DataError, match=named):
        from_json(m.StepRecord, values)


def test_a_direction_that_nobody_knows_is_refused() -> None:
    with pytest.raises(DataError, match=r"NonFinite\.direction"):
        from_json(m.NonFinite, {"where": "fc", "direction": "sideways", "step": 1})


def test_every_record_of_the_contract_can_be_read_back() -> None:
    """Each field's declared type is one that `from_json` knows."""
    known = {int, float, bool, str, type(None)}

    def leaves(hint: Any) -> set[Any]:
        arguments = get_args(hint)
        return {hint} if not arguments else set().union(*map(leaves, arguments))

    kinds = [kind for kind in vars(m).values() if is_dataclass(kind)]
    assert len(kinds) > 10
    for kind in kinds:
        for field in fields(kind):
            hint = get_type_hints(kind)[field.name]
            odd = {one for one in leaves(hint) - known if not is_dataclass(one) and not isinstance(one, str)}
            assert odd <= {Ellipsis}, f"{kind.__name__}.{field.name}: {odd}"
