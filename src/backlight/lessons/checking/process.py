"""Start the process that runs files, read what it reports, and start it again if a file ends it."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from backlight.lessons.exercises import Verdict
from backlight.lessons.exercises.progress import OFF
from backlight.lessons.recorded import CHECKING

LIMIT: Final = 60.0
"""The default time limit of an answer, in seconds of processor time."""

_TICK: Final = 0.2
"""Seconds between two looks at a process that reports nothing."""

_IDLE: Final = 100
"""So many looks in a row without any processor time, and the process waits for something that will not come."""

_PATIENCE: Final = 2
"""So often is a process started again that ends between two answers."""

_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

_MAIN: Final = "from backlight.lessons.checking.worker import main; main()"


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How answers are judged.

    Attributes:
        limit: the time limit of an answer, in seconds of processor time.
        memory: the most that the process may allocate, in bytes; None for no limit.
        seed: makes other cases for each exercise; None for those of the course.
        forbid: the names of the rules that hold (`rules.RULES`).
        output: whether what the files print is shown, on standard error.
    """

    limit: float = LIMIT
    memory: int | None = None
    seed: int | None = None
    forbid: tuple[str, ...] = ()
    output: bool = False


@dataclass
class FileResult:
    """What was found in one file.

    Attributes:
        path: the file.
        verdicts: by exercise, in the order in which they fell.
        problems: in a line each: what could not be read, and what was undone.
        refused: why the file could not be read at all; "" if it could.
    """

    path: Path
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    refused: str = ""


OnVerdict = Callable[[FileResult, Verdict], object]


def judge_files(
    files: Sequence[Path],
    ids: Sequence[str] = (),
    *,
    conditions: Conditions,
    on_verdict: OnVerdict | None = None,
    stop: threading.Event | None = None,
) -> list[FileResult]:
    """Judge the answers in files, in one process that runs them one after the other.

    Args:
        files: Python files and notebooks.
        ids: judge only these exercises; if empty, all whose answer a file defines.
        conditions: how.
        on_verdict: called with each verdict when it falls.
        stop: once it is set, the process is ended and the rest is not judged.
    """
    judging = _Judging([path.absolute() for path in files], ids, conditions, on_verdict)
    judging.stop = stop or judging.stop
    while judging.first < len(files) and not judging.stop.is_set():
        judging.run_once()
    return judging.results


class _Judging:
    def __init__(
        self, files: Sequence[Path], ids: Sequence[str], conditions: Conditions, on_verdict: OnVerdict | None
    ) -> None:
        self.results = [FileResult(path) for path in files]
        self.ids, self.conditions, self.on_verdict = list(ids), conditions, on_verdict
        self.first, self._restarts_here = 0, 0
        self.stop = threading.Event()
        self.ended: dict[str, dict[str, str]] = {}
        self._now: dict[str, Any] = {}
        self._provisional: dict[str, Verdict] = {}

    def run_once(self) -> None:
        """Run the files that remain, up to the end of the process."""
        job = {
            "files": [str(one.path) for one in self.results], "first": self.first, "ids": self.ids,
            "done": {str(at): list(one.verdicts) for at, one in enumerate(self.results)}, "ended": self.ended,
            "limit": self.conditions.limit, "memory": self.conditions.memory, "seed": self.conditions.seed,
            "forbid": list(self.conditions.forbid), "output": self.conditions.output,
        }  # fmt: skip
        environment = {
            **os.environ, **dict.fromkeys(_THREADS, "1"), OFF: "1", CHECKING: "1", "MPLBACKEND": "agg",
        }  # fmt: skip
        self._now = {}
        # -P: a file such as random.py in the folder must not replace a module of Python
        with subprocess.Popen(  # noqa: S603  (a learner's own file, in our own Python)
            [sys.executable, "-P", "-c", _MAIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
            start_new_session=os.name == "posix",
        ) as process:  # fmt: skip
            try:
                reason = self._follow(process, json.dumps(job).encode())
            finally:
                _end(process)
        if self.first < len(self.results) and not self.stop.is_set():
            self._count_the_end(reason or _ending(process.returncode, self.conditions.limit))

    def _follow(self, process: subprocess.Popen[bytes], job: bytes) -> str:
        """Take what the process reports until it ends; return why it was ended here, or "" if it ended by itself."""
        lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=_read, args=(process, job, lines), daemon=True).start()
        looks, before = 0, -1.0
        while not self.stop.is_set():
            try:
                line = lines.get(timeout=_TICK)
            except queue.Empty:
                if process.poll() is not None:  # a process that it has started holds its output open
                    return ""
                used = processor_seconds(process.pid)
                looks = looks + 1 if used is None or used - before < 0.02 else 0
                before = before if used is None or looks else used
                if used is not None and looks >= _IDLE:
                    return f"it waited {_IDLE * _TICK:g} s without computing: for input, a pause or a network"
                if used is None and looks * _TICK > max(self.conditions.limit * 10, 60):
                    return f"it reported nothing for {looks * _TICK:.0f} s"
                continue
            if not line:
                return ""
            looks = 0
            self._take(json.loads(line))
        return ""

    def _take(self, event: dict[str, Any]) -> None:
        result = self.results[event["file"]]
        match event.pop("event"):
            case "begins":
                self._now = {}
            case "runs" | "judges":
                self._now = event
            case "problem":
                if event["line"] not in result.problems:
                    result.problems.append(event["line"])
            case "refused":
                result.refused = event["line"]
            case "verdict":
                verdict = _verdict(event["verdict"])
                if event["final"]:
                    self._settle(result, verdict)
                else:
                    self._provisional[verdict.id] = verdict
            case "ends":
                self.first = event["file"] + 1
                self._provisional.clear()
            case "bug":
                raise RuntimeError(f"the check of {result.path.name} failed:\n{event['text']}")

    def _settle(self, result: FileResult, verdict: Verdict) -> None:
        self._now = {"settled": True}
        result.verdicts[verdict.id] = verdict
        self._provisional.pop(verdict.id, None)
        if self.on_verdict is not None:
            self.on_verdict(result, verdict)

    def _count_the_end(self, reason: str) -> None:
        """The process ended within a file: this costs the answer that it was at."""
        result = self.results[self.first]
        if not self._now:
            result.refused = f"a file with answers must be readable; {result.path.name}: {reason}. Simplify it."
            self.first += 1
            return
        if "settled" in self._now:  # between two answers, as by a thread that the file has left
            if self._restarts_here >= _PATIENCE:
                result.problems.append(f"The rest of the file was not judged: {reason}.")
                self.first += 1
            self._restarts_here = (self._restarts_here + 1) % (_PATIENCE + 1)
            return
        place = self._now.get("place", "")
        message = f"{place}, which this needs: {reason}." if place else f"{reason[:1].upper()}{reason[1:]}."
        if place:
            self.ended.setdefault(str(self.first), {})[str(self._now["statement"])] = message
        id_ = self._now["id"]
        if id_ in self._provisional:  # the second try ended the process, so the first one counts
            self._settle(result, self._provisional[id_])
        elif not place:
            self._settle(result, Verdict(id=id_, state="error", lines=(message,)))


def _verdict(facts: dict[str, Any]) -> Verdict:
    return Verdict(id=facts["id"], state=facts["state"], mistake=facts["mistake"], lines=tuple(facts["lines"]))


def _read(process: subprocess.Popen[bytes], job: bytes, lines: "queue.Queue[bytes]") -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError):  # then it has ended, and the lines say so
            process.stdin.write(job)
            process.stdin.close()
    for line in process.stdout or ():
        lines.put(line)
    lines.put(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and those that it has started."""
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _ending(code: int | None, limit: float) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        if name == "SIGXCPU":
            return f"it did not finish within {limit:g} s of processor time. Look for an endless loop"
        return f"it crashed the interpreter ({name})"
    return f"it ended its process (exit code {code})"


def processor_seconds(number: int) -> float | None:
    """Return the processor time that a process has used, in seconds; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{number}/stat").read_bytes().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
