"""`python -m tests.faults.public`: what the doctor says of public reports, a line for each run, and the sums.

With `--quality` nothing is diagnosed: each case is trained without Backlight, and has to show that its fault hurts and
that its healthy run is well. With `--write` the section in docs/faults.md is made anew.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch
from tests.faults.public.case import FOLDERS, SET_ASIDE, Case, cases
from tests.faults.public.running import Outcome, apart, as_line, digest, outcome_of, quality_of
from tests.faults.public.scoring import as_markdown, line, sums

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
HEADING = "## Public reports"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.faults.public", description=__doc__)
    options.add_argument("--only", default="", help="cases and folders whose name contains this")
    options.add_argument("--seeds", type=int, default=1, help="how many")
    options.add_argument("--first", type=int, default=0, help="the first of them")
    options.add_argument("--set-aside", action="store_true", help="also the cases that are kept for the end")
    options.add_argument("--quality", action="store_true", help="train without Backlight, compare the qualities")
    options.add_argument("--trials", action="store_true", help="examine with trials, and do not train")
    options.add_argument("--bits", action="store_true", help="compare each loss of healthy runs with those not watched")
    options.add_argument("--json", type=Path, help="also write each outcome to this file, a line each")
    options.add_argument("--write", action="store_true", help=f"make the section of docs/{PAGE.name} anew")
    given = options.parse_args()
    torch.set_num_threads(1)
    folders = (*FOLDERS, SET_ASIDE) if given.set_aside else FOLDERS
    chosen = [one for one in cases(*folders) if given.only in one.name or given.only == one.folder]
    seeds = range(given.first, given.first + given.seeds)
    if given.quality:
        sys.exit(sum(not _proved(case, seeds) for case in chosen))
    answers = []
    for case, told in _asked(chosen, seeds, bits=given.bits, trials=given.trials):
        answers.append((case, told))
        print(line(case, told), flush=True)  # noqa: T201
        if given.json:
            with given.json.open("a", encoding="utf-8") as file:
                file.write(as_line(told) + "\n")
    print("", *sums(answers), sep="\n")  # noqa: T201
    if given.write:
        above = PAGE.read_text(encoding="utf-8").partition(f"\n{HEADING}")[0].rstrip("\n")
        PAGE.write_text(f"{above}\n\n{as_markdown(answers, seeds=given.seeds)}", encoding="utf-8")


def _asked(chosen: list[Case], seeds: range, *, bits: bool, trials: bool) -> Iterator[tuple[Case, Outcome]]:
    for case in chosen:
        if case.needs and not find_spec(case.needs):
            print(f"{case.name:36} skipped: needs {case.needs}")  # noqa: T201
            continue
        for faulty in (True, False) if case.faulty else (False,):
            for seed in seeds:
                told = apart(outcome_of, case, faulty=faulty, seed=seed, trials=trials)
                if bits and not faulty and not told.crash:
                    alone = apart(quality_of, case, faulty=faulty, seed=seed)
                    if not isinstance(alone, tuple) or digest(alone[1]) != told.curve:
                        told.crash = "watching changed the losses"
                yield case, told


def _proved(case: Case, seeds: range) -> bool:
    """Print the qualities of a case, and return whether its threshold parts the faulty runs from the healthy ones."""

    def qualities(faulty: bool) -> list[float]:
        found = [apart(quality_of, case, faulty=faulty, seed=seed) for seed in seeds]
        return [math.nan if isinstance(one, Outcome) else one[0] for one in found]

    well, ill = qualities(False), qualities(True) if case.faulty else []
    proved = all(one >= case.enough for one in well) and not any(one >= case.enough for one in ill)
    numbers = "  fault  ".join(", ".join(f"{one:.3g}" for one in found) for found in (well, ill))
    print(f"{'proved' if proved else 'NOT PROVED':11}{case.name:36} {case.enough:6}  healthy  {numbers}", flush=True)  # noqa: T201
    return proved


main()
