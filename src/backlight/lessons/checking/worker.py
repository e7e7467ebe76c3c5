"""The process that runs learners' files. It reads a job on standard input, and reports each event as a line of JSON.

Whatever a file does, the lines that were written before it stay valid: the process that started this one reads them as
they come, and starts another one for the answers that remain.
"""

import ast
import json
import linecache
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from backlight.core import DataError
from backlight.lessons.checking.guard import ModuleGuard
from backlight.lessons.checking.limits import OutOfTimeError, at_most, limit_memory, no_core_files
from backlight.lessons.checking.needs import definition_of, needed
from backlight.lessons.checking.rules import Watch, breaches
from backlight.lessons.checking.sources import read_pieces
from backlight.lessons.checking.statements import TopLevelStatement, statements_of
from backlight.lessons.exercises import EXERCISES, Exercise, Verdict, grade
from backlight.lessons.exercises.exercise import Inputs
from backlight.lessons.exercises.grading import describe_error

_LEAST: Final = 2.0
"""Seconds in which an answer is judged at least, if the statements before it have used its time."""

Report = Callable[..., None]


class _FileRun:
    """One file: its statements, which of them have run, and the namespace in which they run."""

    def __init__(self, job: Mapping[str, Any], number: int, report: Report, guard: ModuleGuard) -> None:
        self.path = Path(job["files"][number])
        self.limit = float(job["limit"])
        self.forbidden: list[str] = job["forbid"]
        self.report, self.guard = report, guard
        self.failed: dict[int, str] = {int(at): why for at, why in job["ended"].get(str(number), {}).items()}
        self.done: set[str] = set(job["done"].get(str(number), ()))
        self.wanted = [EXERCISES[id_] for id_ in job["ids"] or EXERCISES]
        self.changed: set[str] = set()
        pieces = read_pieces(self.path)
        for one in pieces:  # as a notebook does: what reads the source of a function finds it
            linecache.cache[one.place] = len(one.source), None, one.source.splitlines(keepends=True), one.place
        self.statements, self.broken = statements_of(pieces)
        self._start_anew()

    def _start_anew(self) -> None:
        module = ModuleType("__main__")
        module.__dict__["__file__"] = str(self.path)
        sys.modules["__main__"] = module
        self.names, self.ran, self.flags = module.__dict__, set[int](), 0

    def judge_all(self) -> None:
        plans: list[tuple[Exercise, list[int]]] = []
        for exercise in self.wanted:
            message = self._broken_answer(exercise)
            if exercise.id in self.done:
                continue
            if message:
                self._give(Verdict(id=exercise.id, state="error", lines=(message,)))
            elif self._has(exercise.answer):
                plans.append((exercise, needed(exercise.answer, self.statements)))
        answers = [exercise for exercise in EXERCISES.values() if self._broken_answer(exercise)]
        for text, message in self.broken:
            if not any(_defines(text, exercise.answer) for exercise in answers):
                self.report("problem", line=message)
        plans.sort(key=lambda plan: plan[1][-1])
        left = {exercise.id: self.limit for exercise, _ in plans}
        for exercise, plan in plans:
            for index in sorted({at for _, other in plans for at in other if at <= plan[-1]} - self.ran):
                owner = next(one.id for one, other in plans if index in other)
                left[owner] -= self._run(index, owner, left[owner])
            self._judge(exercise, plan, left[exercise.id])

    def _has(self, answer: str) -> bool:
        """Return whether the file defines an answer. A library's function of the same name is none."""
        found = definition_of(answer, self.statements)
        if found is None or not isinstance(found.node, ast.ImportFrom):
            return found is not None
        module = (found.node.module or "").partition(".")[0]
        return any((self.path.parent / name).exists() for name in (module, f"{module}.py"))

    def _broken_answer(self, exercise: Exercise) -> str:
        """Return why an answer could not be read, if it is in a part of the file that is not Python."""
        return next((message for text, message in self.broken if _defines(text, exercise.answer)), "")

    def _run(self, index: int, owner: str, seconds: float) -> float:
        """Run a statement, and return the processor time that it took."""
        self.ran.add(index)
        statement = self.statements[index]
        if index in self.failed:
            return 0.0
        self.report("runs", statement=index, place=statement.place, id=owner)
        started = time.process_time()
        try:
            with at_most(seconds):
                code = compile(
                    ast.Module([statement.node], []), _file_of(statement), "exec", self.flags, dont_inherit=True
                )
                self.flags |= code.co_flags & _FUTURE
                exec(code, self.names)  # noqa: S102  (running it is the purpose)
        except BaseException as error:  # noqa: BLE001  (whatever a learner's code raises costs only its own answers)
            self._restore()
            self.failed[index] = f"{statement.place}, which this needs: {self._said(error)}"
        self._restore()
        return time.process_time() - started

    def _said(self, error: BaseException) -> str:
        if isinstance(error, OutOfTimeError):
            return (
                f"it did not finish within {self.limit:g} s of processor time{self._where(error)}. "
                "Look for an endless loop, or allow more time: --time-limit"
            )
        return "it calls exit()." if isinstance(error, SystemExit) else describe_error(error)

    def _where(self, error: BaseException) -> str:
        """Return the place in the file at which an exception came, such as ", and was in line 3 of cell 5, in fit"."""
        places = {_file_of(one) for one in self.statements}
        frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename in places]
        if not frames:
            return ""
        function = "" if frames[-1].name.startswith("<") else f", in {frames[-1].name}"
        return f"; it was at line {frames[-1].lineno} of {frames[-1].filename}{function}"

    def _restore(self) -> None:
        for name in self.guard.restore():
            if name not in self.changed:
                self.changed.add(name)
                self.report("problem", line=f"The file replaces {name}, which the check uses. This was undone.")

    def _judge(self, exercise: Exercise, plan: list[int], seconds: float) -> None:
        self.report("judges", id=exercise.id)
        verdict = self._verdict(exercise, plan, max(seconds, _LEAST))
        if not verdict.right and verdict.state != "unfinished":
            wide = needed(exercise.answer, self.statements, wide=True)
            if wide != plan and not any(index in self.failed for index in plan):
                self._give(verdict, final=False)
                verdict = self._once_more(exercise, wide) or verdict
        self._give(verdict)

    def _once_more(self, exercise: Exercise, plan: list[int]) -> Verdict | None:
        """Judge an answer after everything that might change what it uses; None if that does not run to its end."""
        kept = self.names, self.ran, self.flags, dict(self.failed)
        module = sys.modules["__main__"]
        self._start_anew()
        try:
            left = self.limit
            for index in plan:
                left -= self._run(index, exercise.id, left)
                if left <= 0:
                    return None
            self.report("judges", id=exercise.id)
            return self._verdict(exercise, plan, max(left, _LEAST))
        finally:
            self.names, self.ran, self.flags, self.failed = kept
            sys.modules["__main__"] = module

    def _verdict(self, exercise: Exercise, plan: list[int], seconds: float) -> Verdict:
        reason = next((self.failed[index] for index in plan if index in self.failed), "")
        if exercise.answer not in self.names:
            return Verdict(id=exercise.id, state="error", lines=(reason or f"{exercise.answer} is not defined.",))
        watch = Watch(self.forbidden, exercise.id)
        try:
            with at_most(seconds), watch:
                verdict = grade(exercise, self.names[exercise.answer])
        except BaseException as error:  # noqa: BLE001  (whatever a learner's code raises costs only its own answer)
            self._restore()
            verdict = Verdict(id=exercise.id, state="error", lines=(_sentence(self._said(error)),))
        self._restore()
        if reason and not verdict.right:
            return replace(verdict, state="error", mistake=None, lines=(_sentence(reason),))
        used = [*breaches(self.forbidden, exercise.id, [self.statements[index].node for index in plan]), *watch.seen]
        if used and verdict.right:
            said = f"It uses {', '.join(dict.fromkeys(used))}, which is not allowed in this exercise."
            return replace(verdict, state="invalid", mistake="not by hand", lines=(said,))
        return verdict

    def _give(self, verdict: Verdict, *, final: bool = True) -> None:
        if final:
            self.done.add(verdict.id)
        self.report("verdict", final=final, verdict=verdict.to_json())


_FUTURE: Final = 0x1FF0000
"""The compiler's flags for `from __future__ import ...`."""


def _defines(text: str, name: str) -> bool:
    return re.search(rf"^(?:async +)?(?:def +)?{name}\b *[(=:]", text, re.MULTILINE) is not None


def _file_of(statement: TopLevelStatement) -> str:
    return statement.place.split(" of ", 1)[1]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _seeded(seed: int) -> None:
    """Give every exercise other cases, which depend on the seed."""
    for id_, exercise in list(EXERCISES.items()):
        EXERCISES[id_] = replace(exercise, cases=partial(_cases, exercise, [seed, *map(int, id_.split("."))]))


def _cases(exercise: Exercise, key: list[int], rng: np.random.Generator) -> Sequence[Inputs]:
    del rng  # that of the course
    return exercise.cases(np.random.default_rng(key))


def _reporter(descriptor: int, number: int) -> Report:
    dump, write = json.dumps, os.write  # as they are now, whatever a file does to them

    def report(event: str, **facts: Any) -> None:
        line = (dump({"event": event, "file": number, **facts}) + "\n").encode()
        while line:
            line = line[write(descriptor, line) :]

    return report


def main() -> None:
    """Run the job on standard input."""
    job = json.loads(sys.stdin.buffer.read())
    descriptor = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(2 if job["output"] else nowhere, 1)
    if not job["output"]:
        os.dup2(nowhere, 2)
    no_core_files()
    if job["memory"]:
        limit_memory(job["memory"])
    if job["seed"] is not None:
        _seeded(job["seed"])
    path, guard = list(sys.path), ModuleGuard()
    for number in range(job["first"], len(job["files"])):
        report = _reporter(descriptor, number)
        report("begins")
        file = Path(job["files"][number])
        sys.path[:] = [*path, str(file.parent)]  # last: a random.py beside the file replaces nothing
        try:
            os.chdir(file.parent)
            _FileRun(job, number, report, guard).judge_all()
        except DataError as error:
            report("refused", line=str(error))
        except Exception:  # noqa: BLE001  (our own mistake, which the other process raises)
            report("bug", text=traceback.format_exc())
        report("ends")
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(0)  # threads that a file has left do not matter


if __name__ == "__main__":
    main()
