"""Wrong answers that are no mistake of the exercise's own list: named rightly, or placed at the right line.

A third of the answers in three files, since a search takes a second.
`python -m tests.unit.lessons.mistakes.reading FILE...` tries all of them.
"""

import numpy as np
import pytest
from tests.unit.lessons.mistakes.reading import load

from backlight.lessons.exercises import EXERCISES, grade, recognising, searching
from backlight.lessons.exercises.changes import ODD, SEEN, USUAL, Change
from backlight.lessons.exercises.conditions import condition_of
from backlight.lessons.exercises.endings import endings
from backlight.lessons.exercises.exercise import Exercise
from backlight.lessons.exercises.naming import is_, is_plural
from backlight.lessons.exercises.programs import programs_of
from backlight.lessons.exercises.searching import ChangeFound

SLOW = {"3.4", "4.3", "5.4"}
SOME = [wrong for wrong in (*load("listed.txt"), *load("public.txt")) if wrong.id not in SLOW][::3]
SOME += [wrong for wrong in load("rewritten.txt") if wrong.id not in SLOW][::3]


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
    for file in ("listed.txt", "public.txt", "aside.txt", "imagined.txt", "rewritten.txt"):
        for wrong in load(file):
            assert callable(wrong.function())


def test_a_known_mistake_is_not_named_if_another_case_contradicts_it():
    """In the first model every array is small, so that nothing decays; in the others most do."""

    def by_size(shapes, tied):
        names = [name for name in shapes if name not in tied]
        decay = [name for name in names if sum(shapes[name]) > 8]
        return decay, [name for name in names if name not in decay]

    verdict = grade(EXERCISES["9.3"], by_size)
    assert not verdict.right
    assert verdict.mistake != "nothing decays"


def test_a_count_is_no_function_of_the_right_one():
    """1 where 0 is right is exp(0): few numbers agree by chance."""
    one = Exercise(id="9.9", cases=lambda _: [{}], solution=lambda: np.zeros(3), mistakes=(), hints=(), look="")
    assert grade(one, np.ones(3)).mistake is None


def found(line, rank, what="it is gone", way=0):
    return ChangeFound(Change(f"line {line}", what, rank, line, "x", ()), ("y",), True, way)


RETURNED = ChangeFound(Change("", "y: it is gone", USUAL, 5, "return", ()), ("y",), True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([found(1, USUAL), found(1, SEEN, "it is there")], "in line 1, it is gone"),
        ([found(1, USUAL), found(2, SEEN, "it is there")], "in line 1, it is gone; or in line 2, it is there"),
        ([found(1, USUAL), found(2, SEEN)], "in line 1, it is gone; or in line 2, it is gone"),
        ([found(1, USUAL), RETURNED], "in line 1, it is gone"),
        ([found(1, USUAL), found(2, ODD, "it is there")], "in line 1, it is gone"),
        ([found(1, USUAL), found(2, USUAL, "it is there", way=1)], "in line 1, it is gone"),
        (
            [found(1, ODD, "a"), found(2, ODD, "b"), found(3, ODD, "c")],
            "in line 1, a; or in line 2, b; or in line 3, c",
        ),
        ([found(line, ODD, str(line)) for line in range(4)], None),
    ],
)
def test_what_is_said_of_several_changes(changes, said):
    likely = recognising._of_changes(changes)
    assert (likely and likely.name) == said


def test_a_fact_that_agrees_does_not_make_up_for_others_that_do_not():
    """Embeddings with a std of 1 are 50 times too large, as they are if 0.02 is taken as the mean; others are not."""
    wrong = grade(EXERCISES["9.2"], embeddings_of_std_one)
    assert wrong.mistake is None
    assert any(
        line.startswith("The std of wte is 5") and line.endswith("times what it should be.") for line in wrong.lines
    )


def embeddings_of_std_one(shapes, layers, rng):
    weights = EXERCISES["9.2"].solution(shapes, layers, rng)
    big = {name: 50 * array for name, array in weights.items() if "wte" in name or "wpe" in name or "lm_head" in name}
    return {**weights, **big}


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        (["h.0.a.weight", "h.1.a.weight"], ["h.0.a.bias", "h.0.b.weight"], ["a.weight"]),
        (["h.0.a.bias", "h.0.b.bias"], ["h.0.a.weight", "h.0.b.weight"], ["bias"]),
        (["h.0.a.weight", "x.bias"], ["h.1.a.weight", "h.0.bias"], ["h.0.a.weight", "x.bias"]),
        (["a.b"], ["c.b"], []),
        (["losses", "the best k"], [], []),
        ([f"{letter}.x" for letter in "abcde"], ["f.x"], []),
    ],
)
def test_endings_of_wrong_names(wrong, right, said):
    assert endings(wrong, right) == said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda step, warmup, **_: step < warmup, "step < warmup"),
        (lambda step, steps, **_: step <= steps, "not (step > steps)"),
        (lambda step, warmup, steps, **_: warmup <= step <= steps, "neither step < warmup nor step > steps"),
        (lambda step, warmup, **_: step == warmup, ""),
        (lambda **_: True, ""),
    ],
)
def test_the_condition_of_wrong_inputs(wrong, said):
    exercise = EXERCISES["9.5"]
    cases = exercise.inputs()
    where = [wrong(**case) for case in cases]
    assert condition_of(programs_of(exercise.answer, ())[0], cases, where) == said


@pytest.mark.parametrize(
    ("what", "plural"),
    [
        ("the logs of the probabilities", True), ("the sum of the exponentials", False), ("all names", True),
        ("the loss", False), ("the norm's bias", False), ("x", False), ("the names that decay", True),
    ],
)  # fmt: skip
def test_plurals(what, plural):
    assert is_plural(what) is plural
    assert is_(what) == f"{what} {'are' if plural else 'is'}"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: x[::-1], "in reverse order along axis 0"),
        (lambda x: np.roll(x, 1, axis=0), "shifted by one along axis 0"),
        (lambda x: np.roll(x, -1, axis=1), "shifted by one along axis 1"),
    ],
)
def test_the_order_of_right_numbers(answer, said):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5, 6))
    one = Exercise(id="9.9", cases=lambda _: [{"x": x}], solution=lambda x: x, mistakes=(), hints=(), look="")
    assert grade(one, answer(x)).mistake == said
