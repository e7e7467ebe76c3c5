"""Check an answer: whether it is right and, if not, where it first goes wrong and which mistake explains it."""

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backlight.lessons.exercises.comparing import Comparing, Mismatch, digits_apart
from backlight.lessons.exercises.exercise import Exercise, Inputs, call
from backlight.lessons.exercises.naming import is_plural
from backlight.lessons.exercises.outcomes import InvalidAnswer, Parts, Unfinished, parts_of
from backlight.lessons.exercises.recognising import LikelyMistake, explanation
from backlight.lessons.exercises.running import outcome_of
from backlight.lessons.exercises.verdict import State, Verdict

_MOST = 5
"""So many right parts are listed."""
_PACKAGE = str(Path(__file__).parents[2])


def grade(exercise: Exercise, answer: Any) -> Verdict:
    """Check an answer.

    Args:
        exercise: the exercise.
        answer: a function of the exercise's inputs, which is tested on all cases; or its result for the first case.
    """
    cases = exercise.inputs() if callable(answer) else exercise.inputs()[:1]
    reference = [
        parts_of(exercise.use(exercise.solution, case), exercise.parts) for case in exercise.inputs()[: len(cases)]
    ]
    try:
        ours = [
            parts_of(outcome_of(exercise, answer, case), exercise.parts, right, in_parts=exercise.in_parts)
            for case, right in zip(cases, reference, strict=True)
        ]
    except Unfinished:
        return Verdict(id=exercise.id, state="unfinished", lines=_advice(exercise)[1:])
    except InvalidAnswer as error:
        said = str(error) if str(error).startswith(exercise.answer) else _capital(str(error))
        lines = (said, *_advice(exercise))
        return Verdict(id=exercise.id, state="invalid", mistake=error.name, lines=lines)
    except Exception as error:  # noqa: BLE001  (any error of a learner's code is reported)
        return Verdict(
            id=exercise.id,
            state="error",
            lines=(describe_error(error), *_by_attribute(error, cases[0]), *_advice(exercise)),
        )
    return _compared(exercise, ours, reference)


def describe_error(error: BaseException) -> str:
    """Return an error in the learner's code as one line, with the number of the line where it was raised."""
    kind = type(error).__name__
    said = " ".join(str(error).split())
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_PACKAGE) and "site-packages" not in frame.filename
        and not frame.filename.startswith("<frozen")
    ]  # fmt: skip
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{kind} in line {error.lineno}: {error.msg}."
    where = f" in line {frames[-1].lineno}{_place(frames[-1])}" if frames else ""
    return f"{kind}{where}: {said}" if said else f"{kind}{where}."


def _by_attribute(error: Exception, case: Inputs) -> tuple[str, ...]:
    """Return a line for a named tuple that was indexed by a name."""
    if not isinstance(error, TypeError) or "tuple indices must be integers" not in str(error):
        return ()
    named = [(name, value._fields[0]) for name, value in case.items() if hasattr(value, "_fields")]
    return tuple(f'{name} has attributes: {name}.{field} in place of {name}["{field}"].' for name, field in named[:1])


def _place(frame: traceback.FrameSummary) -> str:
    return "" if frame.name.startswith("<") else f", in {frame.name}"


def _compared(exercise: Exercise, ours: Sequence[Parts], reference: Sequence[Parts]) -> Verdict:
    compared = Comparing(exercise, ours, reference)
    if compared.mismatches:
        return _wrong(compared)
    if any(len(mine) < len(right) for mine, right in zip(ours, reference, strict=True)):
        return _partial(exercise, ours, reference[0])
    pairs = [(mine[name], right[name]) for mine, right in zip(ours, reference, strict=True) for name in right]
    count = f"{len(ours)} inputs" if len(ours) > 1 else "the input"
    unseen = (exercise.unseen,) if exercise.unseen else ()
    if all(np.array_equal(mine, right, equal_nan=True) for mine, right in pairs):
        result = "All numbers are identical" if exercise.use is call else "All conditions are met"
        return Verdict(id=exercise.id, state="exact", lines=(f"{result}, for {count}.", *unseen))
    largest = max(float(np.nanmax(np.abs(mine - right), initial=0)) for mine, right in pairs)
    why = "the tolerance allows it" if exercise.properties else "which is rounding error"
    lines = (f"The largest difference, for {count}, is {largest:.1e}, {why}.", *unseen)
    return Verdict(id=exercise.id, state="close", lines=lines)


def _partial(exercise: Exercise, ours: Sequence[Parts], reference: Parts) -> Verdict:
    there = [name for name in reference if all(name in mine for mine in ours)]
    coming = [name for name in reference if name not in there]
    count = "1 of {} is" if len(coming) == 1 else f"{len(coming)} of {{}} are"
    missing = f"Still missing: {', '.join(coming[:3])}{', ...' if len(coming) > 3 else ''}"
    lines = (f"Right so far: {', '.join(there)}.", f"{missing}; {count.format(len(reference))} missing.")
    return Verdict(id=exercise.id, state="partial", lines=(*lines, _advice(exercise)[1]))


def _wrong(compared: Comparing) -> Verdict:
    exercise, mismatch = compared.exercise, compared.mismatches[0]
    found = explanation(compared)
    before = [name for name in compared.reference[mismatch.case] if name in compared.right]
    before = before[: _position(compared, mismatch.part)]
    lines = [f"Right so far: {_shortened(before, exercise.in_parts)}."] if before else []
    lines.append(_difference(exercise, mismatch))
    lines += _cases(compared, mismatch)
    if found:
        lines.append(f"Likely mistake: {_sentence(found)}")
        lines += _further(compared, found)
    state: State = "shape" if mismatch.at is None else "wrong"
    name = found.name if found else None
    return Verdict(id=exercise.id, state=state, mistake=name, lines=(*lines, *_advice(exercise)))


def _shortened(names: Sequence[str], whole: bool) -> str:
    """Return a list of names as text, of a long one the first and the last."""
    if whole or len(names) <= _MOST:
        return ", ".join(names)
    return f"{', '.join(names[:2])}, and {len(names) - 3} more up to {names[-1]}"


def _position(compared: Comparing, part: str) -> int:
    """Return how many parts before this one are right."""
    names = list(compared.reference[0])
    return sum(name in compared.right for name in names[: names.index(part)]) if part in names else len(names)


def _sentence(found: LikelyMistake) -> str:
    stop = "" if found.name.endswith(("?", ".")) else "."
    return f"{found.name}{stop} {found.message}".strip()


def _further(compared: Comparing, found: LikelyMistake) -> list[str]:
    """Return a line for what is wrong besides, if the parts of an answer do not follow from each other."""
    rest = [name for name in compared.wrong if name not in found.parts]
    if not rest or compared.exercise.properties or compared.exercise.in_parts:
        return []
    other = explanation(compared, rest[0])
    if other is None:
        return [f"Also wrong: {', '.join(rest)}."]
    return [f"Also wrong: {', '.join(rest)}. Likely mistake: {_sentence(other)}"]


def _cases(compared: Comparing, mismatch: Mismatch) -> list[str]:
    """Return lines that say in which cases the answer is wrong, and their inputs as far as they are short."""
    total, lines = len(compared.ours), list[str]()
    wrong = {one.case for one in compared.mismatches}
    if total > 1 and len(wrong) < total:
        lines.append(
            f"It is right for {total - len(wrong)} of {total} inputs; this is number {mismatch.case + 1}: "
            f'given("{compared.exercise.id}", {mismatch.case + 1}).'
        )
    inputs = _inputs(compared.exercise.inputs()[mismatch.case])
    return [*lines, f"The inputs are {inputs}."] if inputs else lines


def _difference(exercise: Exercise, mismatch: Mismatch) -> str:
    what, at = mismatch.part, mismatch.at
    if what.startswith("the shape of "):
        ours_, right_ = (tuple(map(int, one)) for one in (mismatch.ours, mismatch.reference))
        return f"{_start(what)} is {ours_}; it should be {right_}."
    if at is None:
        return f"{_start(what)} {_has(what)} shape {mismatch.ours.shape}; it should be {mismatch.reference.shape}."
    ours, right = float(mismatch.ours[at]), float(mismatch.reference[at])
    if what in exercise.sentences:
        return exercise.sentences[what].format(ours=ours, right=right)
    if what.startswith("whether ") and {ours, right} <= {0.0, 1.0}:
        said, wanted = ("yes" if value else "no" for value in (ours, right))
        return f"{_capital(what)}: {said}; it should be {wanted}."
    shown, wanted = digits_apart(ours, right)
    if what.startswith("how many "):
        return f"{_capital(what)}: {shown}; it should be {wanted}."
    if mismatch.ours.ndim == 0:
        return f"{_start(what)} {_is(what)} wrong: it is {shown} and should be {wanted}."
    where = at if len(at) > 1 else at[0]
    return f"{_start(what)} {_is(what)} wrong, most of all at {where}: {shown}, which should be {wanted}."


def _is(what: str) -> str:
    return "are" if is_plural(what) else "is"


def _has(what: str) -> str:
    return "have" if is_plural(what) else "has"


def _start(what: str) -> str:
    """Return the name of a part at the beginning of a sentence; the name of a variable keeps its small letter."""
    return _capital(what) if what.startswith(("the ", "how ", "all ")) else what


def _inputs(case: Inputs) -> str:
    """Return the numbers and strings among a case's inputs as text."""
    shown = {name: value for name, value in case.items() if isinstance(value, int | float | str)}
    return ", ".join(f"{name} = {value!r}" for name, value in shown.items())


def _advice(exercise: Exercise) -> tuple[str, ...]:
    section = f' Lesson {exercise.lesson}, "{exercise.section}".' if exercise.section else ""
    look = exercise.look if exercise.look.endswith((".", "?")) or not section else f"{exercise.look}."
    return (f"To see why: {look}{section}", f"A hint: backlight exercise hint {exercise.id}")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
