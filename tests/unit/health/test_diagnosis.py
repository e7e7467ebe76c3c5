"""What is done with findings: ordered, left out where one explains another, written as text and JSON, explained."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.health import records as make
from tests.unit.health.records import spread, well

from backlight.core import ConfigError
from backlight.health import Evidence, Finding, diagnose
from backlight.health import checks as checks_folder
from backlight.health.explained import explained, lessons_on
from backlight.health.findings import SEVERITIES, most_serious_first, number, percent
from backlight.health.progress import progress_of
from backlight.health.text import as_text
from backlight.health.thresholds import THRESHOLDS
from backlight.watch.records import LossPoint, Measurements, NonFinite, NotMeasured


def _very_faulty() -> Measurements:
    """Input of a hundred times its size, saturated units, dead units, a bias before a batch norm, no progress."""
    seen = make.with_records(make.stuck(well()), lambda r: {"inputs": (replace(r.inputs[0], values=spread(100.0)),)})
    seen = make.with_layer(seen, "act1", saturated=0.9)
    seen = make.with_layer(seen, "act2", dead=0.9, dead_now=0.9)
    return make.with_parameter_facts(seen, "fc1.bias", reached=False)


def _finding(id_: str, severity: str) -> Finding:
    return Finding(id=id_, severity=severity, title="t.", evidence=(), because="b.", try_this=("x.",))  # type: ignore[arg-type]


def test_the_most_serious_stands_first_and_ties_keep_their_order():
    given = [_finding("a", "note"), _finding("b", "serious"), _finding("c", "fatal"), _finding("d", "serious")]
    assert [one.id for one in most_serious_first(given)] == ["c", "b", "d", "a"]


def test_what_follows_from_a_cause_is_left_out():
    found = [one.id for one in diagnose(_very_faulty()).findings]
    assert "input-scale" in found
    assert not {"saturated-units", "dead-units", "not-learning"} & set(found)
    seen = make.with_records(_very_faulty(), lambda r: {"inputs": (replace(r.inputs[0], values=spread(1.0)),)})
    assert {"saturated-units", "dead-units"} <= {one.id for one in diagnose(seen).findings}


def test_what_follows_from_a_cause_is_listed_under_it():
    by_id = {one.id: one for one in diagnose(_very_faulty()).findings}
    (cause,) = [one for one in by_id.values() if one.consequences]
    assert cause.id == "input-scale"
    assert any("saturated" in title for title in cause.consequences)
    text = " ".join(as_text(diagnose(_very_faulty()), width=100).split())
    assert all(title in text.split("follows - ")[1] for title in cause.consequences)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_keeps_to_its_width_and_says_everything(width: int):
    diagnosis = diagnose(_very_faulty())
    text = as_text(diagnosis, width=width)
    assert max(map(len, text.splitlines())) <= width
    flowing = " ".join(text.split())
    for finding in diagnosis.findings:
        assert finding.severity.upper() in flowing
        assert " ".join(finding.title.split()) in flowing
        assert finding.where[0] in flowing
        assert all(str(one.what) in flowing for one in finding.evidence)
        assert all(" ".join(one.split()) in flowing for one in finding.try_this)
        assert finding.lesson in flowing


def test_text_of_a_healthy_network_says_what_was_checked():
    text = " ".join(as_text(diagnose(well())).split())
    assert text.startswith("No findings: ")
    assert "checks on 200 steps found nothing wrong" in text
    assert "saturated units" in text.split("Checked: ")[1].split("Not checked")[0]
    assert "future leakage" in text.split("Not checked, for lack of measurements: ")[1]


NOTHING = Measurements(framework="torch", source="watch", model="Net")


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (NOTHING, "Nothing was measured: no training step was watched."),
        (replace(NOTHING, total_steps=128), "Nothing was measured: 128 steps watched, none recorded."),
        (replace(well(), steps=well().steps[:1], total_steps=1), "Too little was measured to say that the network is"),
        (replace(well(), steps=well().steps[:2], total_steps=400), "400 steps, 2 recorded."),
    ],
)
def test_no_findings_is_never_said_of_nothing(seen: Measurements, says: str):
    text = " ".join(as_text(diagnose(seen), width=200).split())
    assert says in text
    assert "No findings" not in text


def test_what_was_not_measured_is_shown_with_its_reason():
    odd = tuple(NotMeasured(what=f"w{i}", because="its numbers are complex64") for i in range(10))
    late = NotMeasured(what="the loss", because="it was given a tensor of shape (4,)", step=3)
    diagnosis = diagnose(replace(well(), not_measured=(late, *odd)))
    text = " ".join(as_text(diagnosis).split())
    assert "Not measured: the loss from step 3 on (it was given a tensor of shape (4,)); w0 (its numbers" in text
    assert "; 3 more (for such reasons)." in text
    assert diagnosis.to_json()["not_measured"][0] == {"what": "the loss", "because": late.because, "step": 3}


def test_a_diagnosis_prints_itself():
    assert str(diagnose(_very_faulty())) == as_text(diagnose(_very_faulty()), width=80)


def test_text_of_an_examination_speaks_of_one_batch():
    assert "one batch" in as_text(diagnose(replace(well(), source="examine", steps=well().steps[:1], total_steps=0)))


def test_json_is_plain_and_has_no_nan():
    seen = replace(
        make.stuck(well()),
        losses=tuple(LossPoint(step=step, loss=math.nan) for step in range(200)),
        first_nonfinite=NonFinite(where="fc2", direction="forward", step=3),
    )
    written = json.loads(json.dumps(diagnose(seen).to_json(), allow_nan=False))
    assert [one["id"] for one in written["findings"]] == ["not-finite"]
    assert written["findings"][0]["lesson"] == "backlight health --about not-finite"
    assert written["steps"] == 200


def test_a_number_that_is_none_becomes_null():
    finding = replace(_finding("a", "note"), evidence=(Evidence(what="loss", value=math.nan, unit="nats"),))
    assert finding.to_json()["evidence"][0]["value"] is None
    assert str(finding.evidence[0]) == "loss: not a number"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (32, "32"), (12_345, "12,345"), (3.29584, "3.296"), (0.0512345, "0.05123"), (1.5e-7, "1.50e-07"),
        (2.5e9, "2.50e+09"), (math.inf, "infinite"), (-math.inf, "minus infinite"), (math.nan, "not a number"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_one_reads_them(value: float, text: str):
    assert number(value) == text


def test_shares_are_rounded_to_what_one_reads():
    assert (percent(0.8349), percent(0.0123)) == (83, 1.2)


def test_lessons_on_a_finding_are_those_of_its_lectures():
    assert lessons_on("softmax-twice") == [2, 3]
    assert lessons_on("sees-the-future") == [7]
    assert lessons_on("no-step") == []


def test_there_is_no_such_finding():
    with pytest.raises(ConfigError, match=r"a finding is one of .*saturated-units.*got 'nothing'"):
        explained("nothing")


def test_every_threshold_has_a_source_and_every_check_takes_its_numbers_from_the_table():
    assert all(len(one.source) > 10 for one in THRESHOLDS.values())
    assert all(one.unit for one in THRESHOLDS.values())
    used = {name for path in Path(checks_folder.__file__).parents[1].rglob("*.py")
            for name in re.findall(r'limit\("([^"]+)"\)', path.read_text(encoding="utf-8"))}  # fmt: skip
    assert used == set(THRESHOLDS)


def test_severities_are_ordered():
    assert SEVERITIES == ("fatal", "serious", "warning", "note")


# -- progress ----------------------------------------------------------------------------------------------------------


def test_progress_of_a_network_that_learns():
    progress = progress_of(well())
    assert progress is not None
    assert progress.steps == 200
    assert progress.start == pytest.approx(2.3)
    assert progress.late < progress.middle < progress.opening < progress.start
    # 10 labels, two of them a third more frequent; 14 records of 32 labels
    p = np.array([3] * 8 + [4] * 2) / 32
    assert progress.guess == pytest.approx(-(p * np.log(p)).sum() + 9 / (2 * 32 * len(make.RECORDED)), abs=1e-9)
    assert progress.learns
    assert progress.falling
    assert not progress.stuck


def test_labels_that_are_few_say_nothing_of_their_entropy():
    seen = well()
    progress = progress_of(replace(seen, steps=seen.steps[:3]))
    assert progress is not None
    assert progress.guess is None


def test_the_reported_loss_counts_whatever_it_is():
    """A cross-entropy that is computed from the logits may be that of targets that were read wrongly."""
    seen = make.with_losses(well(), start=2.3, end=0.05)
    progress = progress_of(make.with_logits(seen, nats=20.0))
    assert progress is not None
    assert progress.late < 0.1
    assert progress.guess is None
    assert progress.learns


def test_a_loss_that_is_not_finite_is_replaced_by_the_cross_entropy():
    losses = tuple(LossPoint(step=one.step, loss=math.inf) for one in well().losses)
    progress = progress_of(replace(make.with_records(well(), loss=math.inf), losses=losses))
    assert progress is not None
    assert progress.start == pytest.approx(2.3)
    assert progress.learns


def test_losses_none_of_which_is_finite_say_nothing_of_the_progress():
    losses = tuple(LossPoint(step=one.step, loss=math.nan) for one in well().losses)
    assert progress_of(replace(make.with_records(well(), logits=None, loss=math.nan), losses=losses)) is None


def test_a_loss_that_is_not_finite_now_and_then_is_left_out():
    losses = tuple(replace(one, loss=math.nan) if one.step % 9 == 3 else one for one in well().losses)
    progress = progress_of(replace(well(), losses=losses))
    assert progress is not None
    assert math.isfinite(progress.late)
    assert progress.last_finite is None


def test_what_the_loss_was_before_it_ceased_to_be_finite():
    losses = tuple(replace(one, loss=one.loss if one.step < 100 else math.nan) for one in well().losses)
    progress = progress_of(replace(make.with_records(well(), logits=None), losses=losses))
    assert progress is not None
    assert not math.isfinite(progress.late)
    assert progress.last_finite == pytest.approx(make.fall(97))


def test_a_loss_that_jumped_up_and_came_back_has_learnt_nothing():
    losses = tuple(replace(one, loss=4.0 if 0 < one.step < 8 else 1.6) for one in well().losses)
    progress = progress_of(replace(make.with_records(well(), logits=None), losses=losses))
    assert progress is not None
    assert progress.opening > 2
    assert not progress.learns


def test_a_loss_within_chance_is_not_falling():
    rng = np.random.default_rng(3)
    losses = tuple(LossPoint(step=step, loss=2.3 + float(rng.normal(0, 0.1))) for step in range(200))
    progress = progress_of(replace(well(), losses=losses))
    assert progress is not None
    assert not progress.falling
    assert progress.stuck


def test_no_loss_no_progress():
    assert progress_of(Measurements(framework="torch", source="watch", model="M")) is None


def test_a_regression_is_held_against_the_spread_of_its_targets():
    seen = make.with_records(well(), lambda r: {"logits": None, "target_mean": float(r.step % 2), "target_std": 2.0})
    progress = progress_of(seen)
    means = [step % 2 for step in make.RECORDED]
    assert progress is not None
    assert progress.guess == pytest.approx(4.0 + np.var(means))
