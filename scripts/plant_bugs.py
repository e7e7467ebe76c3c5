"""Plant bugs one at a time and count how many the test suite catches.

    python scripts/plant_bugs.py [--jobs 2] [--only WORD ...] [--shard 1/4] [--list]

The bugs are in `tests/planted_bugs`. Each is planted in a copy of the package in a temporary folder, never in the
checkout. Two sets of tests run until one test fails: tests that caught this bug, or bugs in the same file, before, and
those of the bug's group. Then all of tests/unit and tests/oracle run for each bug that survived. Tests must pass on the
unchanged copy first. A run that reaches its limit of processor time counts as caught, since the suite would not have
passed.

Results are saved in build/planted_bugs.jsonl. An interrupted run continues where it stopped, as long as package and
tests are unchanged; so does the next shard. Bugs run in random order, so that those that have run are a fair sample;
docs/planted_bugs.md is written at the end and says how many have not. Exits with 1 if fewer than 95 % were caught, or
if a bug is stale.
"""

import argparse
import contextlib
import hashlib
import json
import math
import multiprocessing
import os
import queue
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from planted_bugs import Bug, load_bugs

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "planted_bugs.md"
VERDICTS = ROOT / "build" / "planted_bugs.jsonl"
PASSED_WITHOUT = ROOT / "build" / "planted_bugs_passed_without.txt"  # the state for which the tests passed
PACKAGE = Path("src", "backlight")
EVERYTHING = ("tests/unit", "tests/oracle")
ENOUGH = 0.95
LIMIT_SECONDS, LIMIT_SECONDS_EVERYTHING = 300, 3600  # of the processor, for each process
WAITING = 6  # a run may last this many times longer by the clock, since other programs may be running
LIKELY = 3  # this many of the tests that caught bugs in the same file run first

PYTEST = ("-x", "-q", "-p", "no:cacheprovider", "-r", "fE", "--tb=no", "--hypothesis-seed=0")
PASSED, FAILED, INTERRUPTED, USAGE_ERROR, NO_TESTS = 0, 1, 2, 4, 5

# Each run of pytest is a fork of a process that has already imported these modules. It must not import backlight.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["numpy", "torch", "matplotlib.pyplot", "rich.console", "typer", "pytest"])
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "COLUMNS": "400"}  # wide, so that pytest does not cut the names of failed tests


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result for a bug.

    `by` is the first test that failed, or None if all passed: those of the bug's group, or, with `everything`, all of
    tests/unit and tests/oracle.
    """

    key: str
    name: str
    file: str
    by: str | None
    seconds: float
    everything: bool = False


class Verdicts:
    """All results so far, in a file to which results are appended."""

    def __init__(self, bugs: list[Bug], state: str) -> None:
        self.bugs = bugs
        self.state = state
        self._writing = threading.Lock()
        self.all: list[Verdict] = []
        if VERDICTS.exists():
            lines = VERDICTS.read_text(encoding="utf-8").splitlines()
            self.all = [Verdict(**json.loads(line)) for line in lines]
        keys = {self.key(bug): bug for bug in bugs}
        self.current = {keys[verdict.key]: verdict for verdict in self.all if verdict.key in keys}

    def key(self, bug: Bug) -> str:
        """Return a hash of the bug and of the state of package and tests, for which a result is valid."""
        return hashlib.sha256(f"{self.state} {bug}".encode()).hexdigest()[:16]

    def add(self, bug: Bug, verdict: Verdict) -> None:
        """Add a result, and write it to the file at once."""
        with self._writing:
            self.all.append(verdict)
            self.current[bug] = verdict
            VERDICTS.parent.mkdir(exist_ok=True)
            with VERDICTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(verdict)) + "\n")

    def likely_tests(self, bug: Bug) -> tuple[str, ...]:
        """Return the tests that caught this bug before, or most other bugs in its file."""
        own = [v.by for v in reversed(self.all) if v.name == bug.name]
        others = Counter(v.by for v in self.all if v.file == bug.file)
        tests = dict.fromkeys(by for by in [*own[:1], *(by for by, _ in others.most_common())] if by and by[0] != "(")
        return tuple(dict.fromkeys(re.sub(r"\[.*", "", test) for test in tests))[:LIKELY]


def state_of_the_suite() -> str:
    """Return a hash of all files that a result depends on, except the bugs themselves."""
    sources = [path for folder in ("src", "tests") for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    state = hashlib.sha256()
    for path in sources:
        if "__pycache__" not in path.parts and path.suffix != ".so" and path.parent.name != "planted_bugs":
            state.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return state.hexdigest()


def make_copy(folder: Path) -> Path:
    """Copy the files that the suite needs, and return the folder of the copy."""
    copy = folder / "0"
    for name in ("src", "tests", "scripts", "notebooks", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy2(ROOT / name, copy)
    if (ROOT.parent / "shared").is_dir():
        (folder / "shared").symlink_to(ROOT.parent / "shared")
    build_kernels(copy)
    return copy


def build_kernels(copy: Path) -> None:
    """Compile the kernels of the copy, since a library that was built from other sources is not used."""
    script = copy / PACKAGE / "autograd" / "native" / "building.py"
    subprocess.run([sys.executable, str(script)], capture_output=True, check=True)


def run_pytest(copy: Path, tests: tuple[str, ...], output: Path, limit: int, *, write_bytecode: bool) -> None:
    """Run pytest on the copy, in this process, which was forked for it."""
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    os.setsid()  # so that the process can be killed together with those that its tests start
    os.chdir(copy)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.path[0] = str(copy / "src")  # replaces this script's folder, and precedes the installed package
    sys.modules["__main__"] = ModuleType("__main__")  # otherwise processes that tests start would import this script
    os.environ["PYTHONPATH"] = str(copy / "src")
    sys.dont_write_bytecode = not write_bytecode
    if not write_bytecode:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

    import pytest

    import backlight

    if not Path(backlight.__file__).is_relative_to(copy):
        sys.exit(f"the package must be imported from {copy}; it was imported from {backlight.__file__}.")
    sys.exit(pytest.main([*PYTEST, *tests]))


def first_failure(copy: Path, tests: tuple[str, ...], limit: int, *, write_bytecode: bool = False) -> str | None:
    """Run tests on the copy. Return the first one that failed, or how the run ended otherwise; None if all passed.

    Args:
        copy: the copy of the repository.
        tests: paths of tests, as for pytest.
        limit: limit of processor time in seconds.
        write_bytecode: whether Python may write bytecode into the copy.

    Raises:
        ValueError: one of the tests does not exist.
    """
    output = copy.parent / f"{copy.name}.txt"
    run = FORKS.Process(target=run_pytest, args=(copy, tests, output, limit), kwargs={"write_bytecode": write_bytecode})
    run.start()
    run.join(WAITING * limit)
    in_time = not run.is_alive()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.join()
    shutil.rmtree(copy / ".hypothesis", ignore_errors=True)  # do not replay failures of other bugs
    if not in_time:
        return f"(no end after {WAITING * limit} s)"
    if run.exitcode in {-signal.SIGXCPU, -signal.SIGKILL}:
        return f"(no end after {limit} s of processor time)"
    if run.exitcode in {PASSED, NO_TESTS}:
        return None
    if run.exitcode < 0:
        return f"(ended by signal {-run.exitcode})"
    text = output.read_text(encoding="utf-8", errors="replace")
    if run.exitcode == USAGE_ERROR and "not found: " in text:
        raise ValueError(f"the tests must exist; got {' '.join(tests)}")
    named = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", text, re.MULTILINE)
    if named:
        return named[1]
    if "ImportError while loading conftest" in text or run.exitcode == FAILED:
        return "(the package cannot be imported)"
    sys.exit(f"pytest could not run {' '.join(tests)} (exit code {run.exitcode}):\n{text[-2000:]}")


def own_failure(bug: Bug, copy: Path, verdicts: Verdicts) -> str | None:
    """Run the tests that are likely to fail, then those of the bug's group. Return as `first_failure`."""
    if likely := verdicts.likely_tests(bug):
        with contextlib.suppress(ValueError):  # a test that has been renamed
            if by := first_failure(copy, likely, LIMIT_SECONDS):
                return by
    return first_failure(copy, bug.tests, LIMIT_SECONDS)


def run_bug(bug: Bug, copies: "queue.SimpleQueue[Path]", verdicts: Verdicts, *, everything: bool) -> Verdict:
    """Plant a bug in a free copy, run tests, and remove it again.

    Args:
        bug: the bug.
        copies: the copies that are free.
        verdicts: earlier results, which say which tests to run first.
        everything: whether all of tests/unit and tests/oracle run, or the tests of the bug's group.
    """
    copy = copies.get()
    started = time.perf_counter()
    path = copy / PACKAGE / bug.file
    folder = copy / PACKAGE / "autograd"
    libraries = {
        library: library.read_bytes()
        for library in (folder / "native" / "_kernels.so", folder / "value_native" / "_values.so")
    }
    unchanged = path.stat()
    source = path.read_text(encoding="utf-8")
    by = None
    try:
        path.write_text(bug.plant(source), encoding="utf-8")
        # Python finds bytecode by the size of the source and its time in whole seconds; make sure that the time differs
        os.utime(path, ns=(unchanged.st_atime_ns, unchanged.st_mtime_ns + 10**10))
        if bug.is_kernel:
            build_kernels(copy)
        if everything:
            by = first_failure(copy, EVERYTHING, LIMIT_SECONDS_EVERYTHING)
        else:
            by = own_failure(bug, copy, verdicts)
    finally:
        path.write_text(source, encoding="utf-8")
        os.utime(path, ns=(unchanged.st_atime_ns, unchanged.st_mtime_ns))
        if bug.is_kernel:
            for library, built in libraries.items():
                library.unlink(missing_ok=True)
                library.write_bytes(built)
        copies.put(copy)
    seconds = round(time.perf_counter() - started, 1)
    return Verdict(key=verdicts.key(bug), name=bug.name, file=bug.file, by=by, seconds=seconds, everything=everything)


def run_all(bugs: list[Bug], verdicts: Verdicts, jobs: int, end: float, *, everything: bool) -> None:
    """Run tests for every bug, `jobs` bugs at a time, and print each result.

    Args:
        bugs: the bugs.
        verdicts: where results are added.
        jobs: how many bugs run at a time.
        end: when no further bug is started, by time.perf_counter.
        everything: whether all of tests/unit and tests/oracle run for each bug, or the tests of its group.
    """
    with tempfile.TemporaryDirectory(prefix="planted_bugs_") as name, ThreadPoolExecutor(jobs) as pool:
        folder = Path(name).resolve()
        copy = make_copy(folder)
        for bug in bugs:
            bug.plant((copy / PACKAGE / bug.file).read_text(encoding="utf-8"))
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        copies.put(copy)
        for job in range(1, jobs):
            copies.put(Path(shutil.copytree(copy, folder / str(job))))

        def fails_without_a_bug(tests: tuple[str, ...]) -> str | None:
            free = copies.get()
            failed = first_failure(free, tests, LIMIT_SECONDS_EVERYTHING, write_bytecode=True)
            copies.put(free)
            return failed

        if not everything and not (PASSED_WITHOUT.exists() and PASSED_WITHOUT.read_text() == verdicts.state):
            used = dict.fromkeys(test for bug in bugs for test in bug.tests)
            tests = [(test,) for test in used if not any(str(parent) in used for parent in Path(test).parents)]
            if failed := next(filter(None, pool.map(fails_without_a_bug, tests)), None):
                sys.exit(f"the tests must pass before bugs are planted; {failed} fails.")
            if len(bugs) == len(verdicts.bugs):
                PASSED_WITHOUT.write_text(verdicts.state)
            print("without a bug: passed.", flush=True)
        print(f"{len(bugs)} bugs, {jobs} at a time.", flush=True)
        width = max(len(bug.name) for bug in bugs)

        def report(bug: Bug) -> None:
            if time.perf_counter() > end:
                return
            verdict = run_bug(bug, copies, verdicts, everything=everything)
            by = verdict.by or "SURVIVED"
            print(f"{bug.name:{width}}  {bug.file:28}  {verdict.seconds:4.0f} s  {by}", flush=True)
            if everything and verdict.by and verdict.by[0] != "(" and fails_without_a_bug((verdict.by,)):
                sys.exit(f"the tests must pass before bugs are planted; {verdict.by} fails.")
            verdicts.add(bug, verdict)

        list(pool.map(report, bugs))


def page(results: Verdicts) -> str:
    """Return docs/planted_bugs.md."""
    verdicts = {bug: results.current[bug] for bug in results.bugs if bug in results.current}
    waiting = len(results.bugs) - len(verdicts)
    survivors = [bug for bug, verdict in verdicts.items() if verdict.by is None]
    caught = len(verdicts) - len(survivors)
    git = ["git", "-C", str(ROOT), "log", "-1", "--format=%h"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    score = f"{caught} of {len(verdicts)} caught: {caught / len(verdicts):.1%}"
    lines = [
        "# Planted bugs",
        "",
        "How many bugs does the test suite catch? The bugs of `tests/planted_bugs` are planted in a copy of the",
        "package one at a time, and the tests of the bug's group run until one fails; if none does, all of",
        "`tests/unit` and `tests/oracle` run. Generated by `python scripts/plant_bugs.py`.",
        "",
        "The bugs are plausible mistakes, written by hand, each a change in one place. Tools that mutate every line,",
        "such as mutmut, would make tens of thousands of changes here, many of them without any effect, and need days.",
        "",
        f"**{score}** ({datetime.now(UTC):%Y-%m-%d}, commit {commit}).",
        *([f"{waiting} of the {len(results.bugs)} bugs, chosen at random, have not run."] if waiting else []),
        "",
        "| group | planted | caught |",
        "|---|---|---|",
    ]
    for group in sorted({bug.group for bug in verdicts}):
        own = [verdict for bug, verdict in verdicts.items() if bug.group == group]
        lines.append(f"| {group} | {len(own)} | {sum(verdict.by is not None for verdict in own)} |")
    lines += ["", "## Survivors", ""]
    for bug in survivors:
        only = "" if verdicts[bug].everything else " (the tests of its group only; the others have not run)"
        lines.append(f"- `{bug.file}`: {bug.name}{only}")
    if not survivors:
        lines.append("None.")
    return "\n".join(lines) + "\n"


def shard(text: str) -> slice:
    """Parse a shard such as 2/4, the second of four: every fourth bug, starting with the second."""
    number, _, count = text.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"must be NUMBER/COUNT, such as 1/4; got {text}")
    return slice(int(number) - 1, None, int(count))


def main() -> int:
    """Run the script; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2, help="number of bugs to run at a time (default 2)")
    parser.add_argument("--only", action="append", metavar="WORD", help="only bugs with this in their name or file")
    parser.add_argument("--shard", type=shard, default=slice(None), metavar="K/N", help="only this part of the bugs")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no further bug after so many")
    parser.add_argument("--list", action="store_true", help="print the bugs, check that each applies, and stop")
    options = parser.parse_args()
    bugs = load_bugs()
    wanted = [b for b in bugs if not options.only or any(word in b.name or word in b.file for word in options.only)]
    wanted = wanted[options.shard]
    if not wanted:
        parser.error("--only and --shard must select at least one bug; they select none. See --list.")
    if options.list:
        return list_bugs(wanted)
    os.environ |= ENVIRONMENT
    verdicts = Verdicts(bugs, state_of_the_suite())
    waiting = [bug for bug in wanted if bug not in verdicts.current]
    random.Random(0).shuffle(waiting)
    print(f"{len(wanted) - len(waiting)} of {len(wanted)} bugs already have a result.")
    started = time.perf_counter()
    jobs, end = max(1, options.jobs), started + 60 * options.minutes
    if waiting:
        run_all(waiting, verdicts, jobs, end, everything=False)
    current = verdicts.current
    if survivors := [bug for bug in wanted if bug in current and survived_its_group(current[bug])]:
        print(f"{len(survivors)} bugs survived the tests of their groups; now all tests.", flush=True)
        run_all(survivors, verdicts, jobs, end, everything=True)
    ran = [verdicts.current[bug] for bug in wanted if bug in verdicts.current]
    caught = sum(verdict.by is not None for verdict in ran)
    seconds = time.perf_counter() - started
    print(f"planted {len(ran)}, caught {caught}, survived {len(ran) - caught}, in {seconds:.0f} s")
    if len(wanted) == len(bugs):
        PAGE.write_text(page(verdicts), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0 if caught >= ENOUGH * len(ran) else 1


def survived_its_group(verdict: Verdict) -> bool:
    """Return whether a bug survived the tests of its group, and others have not run."""
    return verdict.by is None and not verdict.everything


def list_bugs(bugs: list[Bug]) -> int:
    """Print the bugs, then those that are stale; return 1 if there are any."""
    stale = []
    for bug in bugs:
        print(f"{bug.file:28}  {bug.name}")
        try:
            bug.plant((ROOT / PACKAGE / bug.file).read_text(encoding="utf-8"))
        except (ValueError, FileNotFoundError) as error:
            stale.append(str(error))
    print(*stale, sep="\n", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
