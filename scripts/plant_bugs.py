"""Plant bugs one at a time and count how many the suite catches: what its green is worth.

    python scripts/plant_bugs.py [--jobs 2] [--only WORD ...] [--list]

The bugs stand in `planted_bugs.toml`. Each goes into a copy of `src` in a temporary folder, never into the checkout;
its group's tests run against the copy and, where they pass, the whole of tests/unit and tests/oracle. A run that
reaches its time limit counts as caught: the suite would not have passed. The unharmed copy runs first and must pass.

A full run writes docs/planted_bugs.md. Exits with 1 if fewer than 95 % were caught, or if a bug no longer fits.
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUGS = Path(__file__).with_name("planted_bugs.toml")
PAGE = ROOT / "docs" / "planted_bugs.md"
PACKAGE = Path("src", "backlight")
EVERYTHING = ("tests/unit", "tests/oracle")
ENOUGH = 0.95
LIMIT_SECONDS, LIMIT_SECONDS_EVERYTHING = 300, 1200

PYTEST = (
    *("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"),
    *("-r", "fE", "--tb=no", "--hypothesis-seed=0"),
)
PASSED, FAILED, INTERRUPTED, NO_TESTS = 0, 1, 2, 5
"""Of pytest's exit codes, those that judge the code; others say that pytest itself was not asked rightly."""


@dataclass(frozen=True, kw_only=True)
class Bug:
    """A change of one place that makes the code wrong."""

    name: str
    file: str
    old: str
    new: str
    group: str
    tests: tuple[str, ...]

    def plant(self, source: str) -> str:
        """Return the source with the bug in it. Raises ValueError if there is not exactly one place for it."""
        places = source.count(self.old)
        if places != 1:
            raise ValueError(
                f"{self.name!r} is stale: its text must stand in {self.file} once; it does {places} times."
            )
        harmed = source.replace(self.old, self.new)
        if not self.is_kernel:
            compile(harmed, self.file, "exec")  # a bug that cannot even be read would prove nothing
        return harmed

    @property
    def is_kernel(self) -> bool:
        """Whether it is one of the compiled kernels', which must be built anew."""
        return self.file.endswith((".c", ".h"))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a bug: `by` is the first test that failed, or None if all passed."""

    bug: Bug
    by: str | None
    seconds: float


def load_bugs() -> list[Bug]:
    """Return the bugs of the table."""
    groups = tomllib.loads(BUGS.read_text(encoding="utf-8"))["group"]
    return [Bug(**bug, group=group["what"], tests=tuple(group["tests"])) for group in groups for bug in group["bug"]]


def environment(copy: Path) -> dict[str, str]:
    """Return the variables under which the copy's package, and not the installed one, is imported."""
    return {
        **os.environ,
        "PYTHONPATH": str(copy / "src"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "400",  # so that pytest does not cut the names of failed tests
    }


def make_copy(folder: Path) -> Path:
    """Copy what the suite needs, and return where it lies."""
    copy = folder / "0"
    for name in ("src", "tests", "scripts", "notebooks", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", copy)
    if (ROOT.parent / "shared").is_dir():
        (folder / "shared").symlink_to(ROOT.parent / "shared")
    code = "import backlight; print(backlight.__file__)"
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment(copy), cwd=copy, capture_output=True, text=True, check=True
    )
    if not Path(shown.stdout.strip()).is_relative_to(copy):
        sys.exit(f"the copy in {copy} must be what Python imports; it imports {shown.stdout.strip()}.")
    return copy


def build_kernels(copy: Path) -> None:
    """Compile the copy's kernels, which must be possible: a library of other sources would not be used."""
    script = copy / PACKAGE / "autograd" / "native" / "building.py"
    subprocess.run([sys.executable, str(script)], capture_output=True, check=True)


def first_failure(copy: Path, tests: tuple[str, ...], limit: float, *, write_bytecode: bool = False) -> str | None:
    """Run tests against the copy. Returns the first that failed, or how else the run ended; None if all passed."""
    env = environment(copy) | ({} if write_bytecode else {"PYTHONDONTWRITEBYTECODE": "1"})
    # files rather than pipes: after a time limit, a grandchild may still hold a pipe open
    with tempfile.TemporaryFile("w+", dir=copy) as out:
        try:
            code = subprocess.run(
                [sys.executable, *PYTEST, *tests], env=env, cwd=copy, stdout=out, stderr=out, timeout=limit, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return f"(no end after {limit:.0f} s)"
        finally:
            shutil.rmtree(copy / ".hypothesis", ignore_errors=True)  # no memory of other bugs' failures
        out.seek(0)
        text = out.read()
    if code in {PASSED, NO_TESTS}:
        return None
    if code < 0:
        return f"(ended by signal {-code})"
    named = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", text, re.MULTILINE)
    if code not in {FAILED, INTERRUPTED} or named is None:
        sys.exit(f"pytest could not run {' '.join(tests)} (exit code {code}):\n{text[-2000:]}")
    return named[1]


def judge(bug: Bug, copies: "queue.SimpleQueue[Path]") -> Verdict:
    """Plant one bug in a free copy, run the tests, and take it out again."""
    copy = copies.get()
    started = time.perf_counter()
    path = copy / PACKAGE / bug.file
    unharmed = path.stat()
    source = path.read_text(encoding="utf-8")
    try:
        path.write_text(bug.plant(source), encoding="utf-8")
        # compiled code is found by a file's time in whole seconds and its size; make sure that the time is another
        os.utime(path, ns=(unharmed.st_atime_ns, unharmed.st_mtime_ns + 10**10))
        if bug.is_kernel:
            build_kernels(copy)
        by = first_failure(copy, bug.tests, LIMIT_SECONDS)
        if by is None:
            by = first_failure(copy, EVERYTHING, LIMIT_SECONDS_EVERYTHING)
    finally:
        path.write_text(source, encoding="utf-8")
        os.utime(path, ns=(unharmed.st_atime_ns, unharmed.st_mtime_ns))
        if bug.is_kernel:
            build_kernels(copy)
        copies.put(copy)
    return Verdict(bug=bug, by=by, seconds=time.perf_counter() - started)


def judge_all(bugs: list[Bug], jobs: int, *, everything: bool) -> list[Verdict]:
    """Check bugs, `jobs` at a time, printing each verdict as it comes."""
    with tempfile.TemporaryDirectory(prefix="planted_bugs_") as name:
        folder = Path(name).resolve()
        copy = make_copy(folder)
        for bug in bugs:
            bug.plant((copy / PACKAGE / bug.file).read_text(encoding="utf-8"))
        tests = EVERYTHING if everything else tuple(dict.fromkeys(test for bug in bugs for test in bug.tests))
        failed = first_failure(copy, tests, LIMIT_SECONDS_EVERYTHING, write_bytecode=True)
        if failed is not None:
            sys.exit(f"the suite must pass before bugs are planted; {failed} fails.")
        print(f"no bug: passed. Now {len(bugs)} bugs, {jobs} at a time.", flush=True)
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        copies.put(copy)
        for job in range(1, jobs):
            copies.put(Path(shutil.copytree(copy, folder / str(job))))
        width = max(len(bug.name) for bug in bugs)
        verdicts = []
        with ThreadPoolExecutor(jobs) as pool:
            for verdict in pool.map(lambda bug: judge(bug, copies), bugs):
                bug = verdict.bug
                print(
                    f"{bug.name:{width}}  {bug.file:28}  {verdict.seconds:4.0f} s  {verdict.by or 'SURVIVED'}",
                    flush=True,
                )
                verdicts.append(verdict)
    return verdicts


def page(verdicts: list[Verdict]) -> str:
    """Return docs/planted_bugs.md."""
    survivors = [verdict for verdict in verdicts if verdict.by is None]
    lines = [
        "# Planted bugs",
        "",
        "Made by `python scripts/plant_bugs.py`, which puts the bugs of `scripts/planted_bugs.toml` into a copy of the",
        "package, one at a time, and runs the suite until a test fails. Where none fails, the suite has a gap.",
        "",
        f"Planted: {len(verdicts)}. Caught: {len(verdicts) - len(survivors)}.",
        "",
        "Survivors: " + ("; ".join(verdict.bug.name for verdict in survivors) or "none") + ".",
    ]
    for group in dict.fromkeys(verdict.bug.group for verdict in verdicts):
        lines += ["", f"## {group}", "", "| bug | file | first test that fails |", "|---|---|---|"]
        for verdict in verdicts:
            if verdict.bug.group == group:
                test = re.sub(r"\[.*", "", verdict.by) if verdict.by else "**none**"
                lines.append(f"| {verdict.bug.name} | `{verdict.bug.file}` | {test.replace('_', chr(92) + '_')} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Parse, judge, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2, help="bugs judged at a time (default 2)")
    parser.add_argument("--only", action="append", metavar="WORD", help="only bugs with this in their name or file")
    parser.add_argument("--list", action="store_true", help="print the bugs and stop")
    options = parser.parse_args()
    bugs = load_bugs()
    if options.only:
        bugs = [bug for bug in bugs if any(word in bug.name or word in bug.file for word in options.only)]
    if not bugs:
        parser.error(f"--only must name bugs of the list; none has {' or '.join(options.only)} in it. See --list.")
    if options.list:
        print("\n".join(f"{bug.file:28}  {bug.name}" for bug in bugs))
        return 0
    started = time.perf_counter()
    try:
        verdicts = judge_all(bugs, max(1, options.jobs), everything=not options.only)
    except ValueError as stale:
        sys.exit(str(stale))
    caught = sum(verdict.by is not None for verdict in verdicts)
    seconds = time.perf_counter() - started
    print(f"planted {len(verdicts)}, caught {caught}, survived {len(verdicts) - caught}, in {seconds:.0f} s")
    if not options.only:
        PAGE.write_text(page(verdicts), encoding="utf-8")
    return 0 if caught >= ENOUGH * len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
