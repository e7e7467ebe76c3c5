"""`python -m tests.faults --seeds 5`: the score on the terminal and, with `--write`, in docs/faults.md."""

import argparse
import sys
import time
from pathlib import Path

from tests.faults.report import as_markdown, as_text
from tests.faults.scoring import Score, score

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    options.add_argument("--seeds", type=int, default=5, help="how many")
    options.add_argument("--first", type=int, default=0, help="the first of them")
    options.add_argument("--only", default="", help="nets and faults whose name contains this")
    options.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    given = options.parse_args()
    started = time.perf_counter()
    verdicts = []
    for verdict in score(range(given.first, given.first + given.seeds), only=given.only):
        verdicts.append(verdict)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{len(verdicts)} runs, {time.perf_counter() - started:.0f} s")
    found = Score(
        healthy=tuple(one for one in verdicts if not one.accepted),
        faults=tuple(one for one in verdicts if one.accepted),
    )
    sys.stdout.write(as_text(found) + f"\n{len(verdicts)} runs in {time.perf_counter() - started:.0f} s\n")
    if given.write:
        others = PAGE.read_text(encoding="utf-8").partition("\n## Public reports")  # made by tests.faults.public
        PAGE.write_text(as_markdown(found, seeds=given.seeds) + "".join(others[1:]), encoding="utf-8")


main()
