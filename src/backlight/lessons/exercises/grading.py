"""Check an answer: whether it is right and, if not, where it first goes wrong and which mistake explains it."""

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backlight.lessons.exercises.exercise import Exercise, Inputs, call
from backlight.lessons.exercises.outcomes import InvalidAnswer, Mismatch, Parts, Unfinished, first_mismatch, parts_of
from backlight.lessons.exercises.recognising import general, recognised
from backlight.lessons.exercises.verdict import Verdict

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
            parts_of(_outcome(exercise, answer, case), exercise.parts, right, in_parts=exercise.in_parts)
            for case, right in zip(cases, reference, strict=True)
        ]
    except Unfinished:
        return Verdict(id=exercise.id, state="unfinished", lines=_advice(exercise)[1:])
    except InvalidAnswer as error:
        return Verdict(id=exercise.id, state="invalid", lines=(_capital(str(error)), *_advice(exercise)))
    except Exception as error:  # noqa: BLE001  (any error of a learner's code is reported)
        return Verdict(id=exercise.id, state="error", lines=(describe_error(error), *_advice(exercise)))
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


def _place(frame: traceback.FrameSummary) -> str:
    return "" if frame.name.startswith("<") else f", in {frame.name}"


def _outcome(exercise: Exercise, answer: Any, case: Inputs) -> Any:
    if answer is None or answer is ...:
        raise Unfinished
    if not callable(answer):
        if exercise.use is not call:
            raise InvalidAnswer(f"pass the function {exercise.answer} itself, not its result.")
        return answer
    with np.errstate(all="ignore"):  # an overflow shows in the result
        return exercise.use(answer, case)


def _compared(exercise: Exercise, ours: Sequence[Parts], reference: Sequence[Parts]) -> Verdict:
    largest, exact = 0.0, True
    for at, (mine, right) in enumerate(zip(ours, reference, strict=True)):
        close, mismatch = first_mismatch(mine, right, rtol=exercise.rtol, atol=exercise.atol)
        if mismatch is not None:
            return _wrong(exercise, ours, reference, mismatch, at, [one.name for one in close])
        largest = max([largest, *(one.difference for one in close)])
        exact = exact and all(one.exact for one in close)
    if any(len(mine) < len(right) for mine, right in zip(ours, reference, strict=True)):
        return _partial(exercise, ours, reference[0])
    count = f"{len(ours)} inputs" if len(ours) > 1 else "the input"
    if exact:
        result = "All numbers are identical" if exercise.use is call else "All conditions are met"
        return Verdict(id=exercise.id, state="exact", lines=(f"{result}, for {count}.",))
    lines = (f"The largest difference, for {count}, is {largest:.1e}, which is rounding error.",)
    return Verdict(id=exercise.id, state="close", lines=lines)


def _partial(exercise: Exercise, ours: Sequence[Parts], reference: Parts) -> Verdict:
    there = [name for name in reference if all(name in mine for mine in ours)]
    coming = [name for name in reference if name not in there]
    count = "1 of {} is" if len(coming) == 1 else f"{len(coming)} of {{}} are"
    missing = f"Still missing: {', '.join(coming[:3])}{', ...' if len(coming) > 3 else ''}"
    lines = (f"Right so far: {', '.join(there)}.", f"{missing}; {count.format(len(reference))} missing.")
    return Verdict(id=exercise.id, state="partial", lines=(*lines, _advice(exercise)[1]))


def _wrong(
    exercise: Exercise, ours: Sequence[Parts], reference: Sequence[Parts], mismatch: Mismatch, at: int, right: list[str]
) -> Verdict:
    name, message = recognised(exercise, ours, reference, mismatch.part)
    if not name:
        name, message = general(mismatch)
    lines = [f"Right so far: {', '.join(right)}."] if right else []
    lines.append(_difference(mismatch))
    inputs = _inputs(exercise.inputs()[at])
    if inputs:
        lines.append(f"The inputs are {inputs}.")
    if name:
        lines.append(f"Likely mistake: {name}. {message}".strip())
    state = "shape" if mismatch.comparison is None else "wrong"
    return Verdict(id=exercise.id, state=state, mistake=name or None, lines=(*lines, *_advice(exercise)))  # type: ignore[arg-type]


def _difference(mismatch: Mismatch) -> str:
    what = mismatch.part
    if mismatch.comparison is None:
        return f"{what} has shape {mismatch.ours.shape}; it should have {mismatch.reference.shape}."
    found = mismatch.comparison
    where = f" at {found.at if len(found.at) > 1 else found.at[0]}" if found.at else ""
    if (
        what.startswith("whether ")
        and mismatch.ours.ndim == 0
        and {float(mismatch.ours), float(mismatch.reference)} == {0.0, 1.0}
    ):
        ours, right = ("yes" if value else "no" for value in (mismatch.ours, mismatch.reference))
        return f"{_capital(what)}: {ours}; it should be {right}."
    if mismatch.ours.ndim == 0:
        return f"{what} is wrong: it is {found.ours:.6g} and should be {found.reference:.6g}."
    return (
        f"{what} is wrong: the largest difference is {found.difference:.2g}{where}, "
        f"where it is {found.ours:.6g} and should be {found.reference:.6g}."
    )


def _inputs(case: Inputs) -> str:
    """Return the numbers and strings among a case's inputs as text."""
    shown = {name: value for name, value in case.items() if isinstance(value, int | float | str)}
    return ", ".join(f"{name} = {value!r}" for name, value in shown.items())


def _advice(exercise: Exercise) -> tuple[str, ...]:
    return (f"To see why: {exercise.look}", f"A hint: backlight exercise hint {exercise.id}")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
