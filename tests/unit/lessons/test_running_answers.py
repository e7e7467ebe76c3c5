"""What gives no result is told apart: a stub, nothing returned, printed, raised, another type; and how it is said."""

# ruff: noqa: ARG001, ARG005, T201  (wrong answers)

import numpy as np
import pytest
from tests.unit.lessons.answers import graded
from tests.unit.lessons.mistakes import answers

from backlight.core import ConfigError
from backlight.lessons.exercises import EXERCISES, given
from backlight.lessons.exercises.comparing import digits_apart


def stub(a, b, c):
    """Nothing yet."""


def returns_none(a, b, c):
    return None


def without_return(a, b, c):
    a * b + c


def prints(a, b, c):
    print(answers.gradient_by_formula(a, b, c))


def test_nothing_filled_in_is_not_a_mistake():
    for answer in (stub, returns_none, lambda a, b, c: None):
        assert graded("1.1", answer).state == "unfinished"


def test_nothing_returned_is_said():
    verdict = graded("1.1", without_return)
    assert (verdict.state, verdict.mistake) == ("invalid", "nothing is returned")
    assert verdict.lines[0] == (
        "gradient_by_formula ran to its end and returned None. Is the return missing, or without a value?"
    )


def test_printed_for_returned_is_said(capsys):
    verdict = graded("1.1", prints)
    assert verdict.mistake == "nothing is returned"
    assert "printed something and returned None" in verdict.lines[0]
    assert "12" in capsys.readouterr().out  # what is printed is still seen


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda a, b, c: "abc", "it is a str"),
        (lambda a, b, c: (1j, 2, 3), "holds complex numbers"),
        (lambda a, b, c: ("x", 2, 3), "holds text"),
        (lambda a, b, c: ({}, 2, 3), "holds a dict"),
        (lambda a, b, c: np.float16([1, 2, 3]), "float16, which is too coarse"),
        (lambda a, b, c: (1, 2), "it has 2"),
    ],
)
def test_another_type_is_said(answer, said):
    verdict = graded("1.1", answer)
    assert verdict.state == "invalid"
    assert said in verdict.lines[0]


def test_the_failing_case_can_be_looked_at():
    def wrong(**case):
        return answers.batch_norm(**{**case, "training": True})

    verdict = graded("4.4", wrong)
    assert 'this is number 2: given("4.4", 2).' in " ".join(verdict.lines)
    assert given("4.4", 2)["training"] is False
    with pytest.raises(ConfigError, match="from 1 to 3; got 4"):
        given("4.4", 4)


def test_a_difference_can_be_seen_in_its_digits():
    assert digits_apart(2.0, 2.5) == ("2", "2.5")
    assert digits_apart(0.5860021, 0.5860022) == ("0.5860021", "0.5860022")
    assert digits_apart(np.nan, np.nan) == ("nan", "nan")


def test_what_cannot_be_seen_is_said():
    def without_largest(**case):
        d = answers.all_gradients(**case)
        return {**d, "largest": 0 * d["largest"]}

    assert "cannot be seen here" in " ".join(graded("5.1", without_largest).lines)


def test_sentences_are_grammatical():
    losses = graded("2.3", lambda train, dev, ks: (np.zeros(len(ks)), ks[0]))
    assert losses.lines[0].startswith("The losses are wrong, most of all at ")
    logits = graded("2.4", lambda W, ids, dlogits: (W, W))
    assert logits.lines[0].startswith("The logits have shape (5, 5); it should be ")


def test_a_bias_of_another_shape_is_said():
    def wide(**case):
        C, W1, b1, W2, b2 = answers.even_start(**case)
        return C, W1, b1[None], W2, b2

    verdict = graded("3.2", wide)
    assert "The shape of b1 is (1, 200); it should be (200,)." in verdict.lines
    assert verdict.mistake == "wrong shape of b1"


def test_all_parts_are_looked_at():
    """Two mistakes in two parts are both named."""

    def two(dy, normal, rstd, gain):
        dx, dgain, dshift = answers.batch_norm_backward(dy, normal, rstd, gain)
        return dx / rstd, dgain, dshift / len(dy)

    said = " ".join(graded("5.3", two).lines)
    assert "rstd" in said
    assert "Also wrong: dshift. Likely mistake: " in said


def test_every_program_in_single_steps_is_right():
    from backlight.lessons.exercises.steps import PROGRAMS

    for exercise in EXERCISES.values():
        for program in PROGRAMS.get(exercise.answer, ()):
            assert graded(exercise.id, program).right, (exercise.id, program.__name__)


def test_weights_that_are_indexed_by_a_name():
    verdict = graded("5.4", lambda weights, batches, lr: weights["C"])
    assert verdict.lines[1] == 'weights has attributes: weights.C in place of weights["C"].'
