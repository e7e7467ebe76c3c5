"""Wrong answers that are no mistake of the exercise's own list: named rightly, or placed at the right line.

A third of the answers in two files, since a search takes a second.
`python -m tests.unit.lessons.mistakes.reading FILE...` tries all of them.
"""

import pytest
from tests.unit.lessons.mistakes.reading import load

from backlight.lessons.exercises import searching

SLOW = {"3.4", "4.3", "5.4"}
SOME = [wrong for wrong in (*load("listed.txt"), *load("public.txt")) if wrong.id not in SLOW][::3]


@pytest.mark.parametrize("wrong", SOME, ids=lambda one: f"{one.id} {one.name}")
def test_a_mistake_is_named_or_placed(wrong, monkeypatch):
    monkeypatch.setattr(searching, "SECONDS", 60.0)  # on a slow machine, too
    verdict = wrong.verdict()
    assert wrong.outcome(verdict) == "named", str(verdict)


def test_a_known_name_is_given_only_if_it_fits_everywhere():
    """C is not trained, all else is: the name for weights that were never changed does not fit."""
    wrong = next(one for one in load("listed.txt") if one.name == "C is not trained")
    verdict = wrong.verdict()
    assert "old weights" not in str(verdict)
    assert verdict.mistake is None or "in C, " in verdict.mistake


def test_all_answers_can_be_planted():
    for file in ("listed.txt", "public.txt", "aside.txt", "imagined.txt"):
        for wrong in load(file):
            assert callable(wrong.function())
