"""The words of every finding: whole, once, and with directions where something is forgotten."""

import re
from dataclasses import replace

import pytest
from tests.faults.catalogue import FAULTS
from tests.unit.health.records import well
from tests.unit.health.test_checks import EDGES, THERE

from backlight.figures import FIGURES
from backlight.health import diagnose, explained
from backlight.health.checks import CHECKS, TEXTS
from backlight.health.diagnosis import EXPLAINS_NOTHING, LAST_RESORTS
from backlight.health.findings import Advice, FindingText

NOT_PLANTED = {
    "input-ignored": "comes with other faults, which explain it",
    "exploding-gradients": "comes with exploding weights, which explain it",
    "not-finite": "comes with a learning rate that is too high, which explains it",
    "not-learning": "is what is left if no check finds the cause",
    "unused-layer": "is a note on the model, not a fault of a training",
    "all-frozen": "nothing is trained then",
    "told-loss-not-finite": "is said of single steps of a training that is well",
    "never-called": "is said of a network that is not the one trained; see tests/faults/public",
    "layers-not-seen": "is a note on what could not be measured",
    "accumulation-not-averaged": "see tests/faults/public: a loop with several passes a step",
    "gradients-are-zero": "see tests/faults/public: another order of the loop",
    "clipped-before-unscaling": "see tests/faults/public: a loop in mixed precision",
    "clip-too-short": "is the loop's, not the network's; see tests/unit/health",
    "rate-ended": "see tests/faults/public: a schedule",
    "running-statistics": "see tests/faults/public: late in a training",
    "tie-broken": "costs memory and little else in networks as small as the suite's",
    **dict.fromkeys(
        (
            "attention-saturated", "axes-exchanged", "batch-first", "best-not-kept", "class-never-a-target",
            "copies-inputs", "evaluation-differs", "evaluation-inputs-differ", "few-examples", "frozen-untrained",
            "held-out-unrelated", "input-contains-target", "inputs-drift",
            "inputs-repeat", "labels-shifted", "logits-bounded", "loss-of-probabilities", "loss-unbounded",
            "mask-inverted", "no-graph", "no-positions", "not-shuffled", "one-id", "output-constant", "output-range",
            "padding-counted", "reads-padding", "sigmoid-twice", "softmax-axis", "softmax-of-one", "state-carried-over",
            "targets-outside-range", "unregistered-layers", "updates-rounded-away", "backward-direction-unread",
            "class-not-in-loss", "inputs-scrambled", "optimiser-remade", "layers-shared",
        ),
        "is trained as a public report, in tests/faults/public",
    ),
    **dict.fromkeys(
        ("state-not-saved", "class-never-right"), "is found by a trial: see tests/oracle"
    ),
    **dict.fromkeys(
        ("gradient-norm-rose", "loss-flat", "loss-rose", "loss-zeroed"), "is read from a log: see tests/unit/health"
    ),
}  # fmt: skip
"""Findings that no fault of the suite is named by, and why."""


def test_every_finding_can_be_made_in_the_tests_of_checks():
    made = {found for found, *_ in EDGES} | {found for found, _ in THERE}
    missing = sorted(set(TEXTS) - made)
    assert not missing, (
        f"no test makes a {missing}. Add it to EDGES (with records just below and above its threshold) or THERE (with "
        "records in which it is found) in tests/unit/health/test_checks.py."
    )


def test_every_finding_is_the_name_of_a_planted_fault():
    planted = {name for fault in FAULTS for name in fault.accepted}
    missing = sorted(set(TEXTS) - planted - set(NOT_PLANTED))
    assert not missing, (
        f"no planted fault is to be named by {missing}. Add one to tests/faults/catalogue.py: a healthy network with "
        "the one thing changed; or say in NOT_PLANTED of this file why there is none."
    )

    assert not planted & set(NOT_PLANTED), "take what is planted out of NOT_PLANTED"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_words_of_a_finding_are_whole(text: FindingText):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", text.id), "an id is words with hyphens between"
    for part in (text.title, text.because, *_advice(text)):
        assert part.strip() == part, f"{part!r} begins or ends with a space"
        assert not part.endswith((" ", ",")), part
    assert text.title.endswith("."), "a title is a sentence"
    assert text.because.endswith("."), "a reason is made of sentences"
    assert text.try_this or all(case.try_this for case in text.cases.values()), "something must be there to try"
    assert text.figures, "name the figures that show it, the most telling first: see backlight.figures.FIGURES"
    assert set(text.figures) <= set(FIGURES), f"no such figure: {set(text.figures) - set(FIGURES)}"
    assert len(text.paragraphs) > 20, "say in `about` what it means, at length"
    assert "\n" not in text.paragraphs.replace("\n\n", "")
    assert explained(text.id) == text.paragraphs


def _advice(text: FindingText) -> list[str]:
    tips = [*text.try_this, *(tip for case in text.cases.values() for tip in case.try_this)]
    return [words for tip in tips for words in ((tip.torch, tip.ours) if isinstance(tip, Advice) else (tip,))]


def test_ids_and_checks_have_one_name_each():
    ids = [text.id for one in CHECKS for text in one.texts]
    assert len(ids) == len(set(ids)) == len(TEXTS)
    assert len({one.what for one in CHECKS}) == len(CHECKS)


def test_causes_and_consequences_are_findings_that_exist():
    named = {cause for text in TEXTS.values() for cause in text.explained_by} | set(LAST_RESORTS) | EXPLAINS_NOTHING
    assert named <= set(TEXTS)


def test_no_two_findings_explain_each_other_away():
    """Else both would be left out, and nothing said."""
    for text in TEXTS.values():
        assert all(text.id not in TEXTS[cause].explained_by for cause in text.explained_by), text.id


def test_a_cause_is_not_its_own_consequence():
    done: set[str] = set()
    while fresh := [one.id for one in TEXTS.values() if one.id not in done and one.explained_by <= done]:
        done.update(fresh)
    assert done == set(TEXTS), "these explain each other in a circle, so that all would be left out"


def test_advice_is_in_the_words_of_the_framework():
    seen = replace(well(), parameters=tuple(replace(one, requires_grad=False) for one in well().parameters))
    (torch,), (ours,) = (diagnose(replace(seen, framework=name)).findings for name in ("torch", "backlight"))
    assert "model.requires_grad_(True)" in torch.try_this[0]
    assert "parameter.requires_grad = True" in ours.try_this[0]
    assert torch.try_this[1] == ours.try_this[1]
