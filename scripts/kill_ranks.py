"""Kill a random process of a group that trains, resume with another number of processes, and count the data read.

    python scripts/kill_ranks.py [--kills 20] [--seed 1] [--shard]

Each trial starts a training in 2, 3 or 4 processes. One of them kills itself with SIGKILL at a random step, before or
after its forward pass or before its update. The run is resumed in 1, 2 or 4 processes, of which one is killed too in
every second trial, and resumed again, to its end. With --shard, two in three of the groups of several processes divide
the model, and some of these are killed while they save, before or after a process has written its part. Of each step,
the last processes that computed it count. Their rows of data must be those of an uninterrupted training in one process:
none is missing, and none is there twice.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.end_to_end.ranks import Ended, RankServer

STEPS, BATCH, INTERVAL = 60, 9, 7
TRAIN = (
    "train", "names.txt", "--model", "gpt", "--n-embd", 8, "--n-layer", 1, "--n-head", 2, "--context", 6, "--steps",
    STEPS, "--batch-size", BATCH, "--eval-interval", INTERVAL, "--samples", 0, "--engine", "torch", "--device", "cpu",
    "--name", "run",
)  # fmt: skip
RESUME = ("train", "--resume", "run", "--engine", "torch", "--device", "cpu", "--samples", 0)


def rows(groups: list[Ended]) -> dict[int, Counter[int]]:
    """Return how often each row was read at each step, by the last group that computed the step."""
    last: dict[int, Counter[int]] = {}
    for group in groups:
        last |= {step: Counter(row for part in parts for row in part) for step, parts in group.read.items()}
    return last


def trial(server: RankServer, folder: Path, rng: np.random.Generator, number: int, *, shard: bool) -> list[Ended]:
    """Train, with one or two kills, to the end. Returns the groups in their order."""

    def divided(size: int) -> list[str]:
        return ["--shard"] if shard and size > 1 and rng.random() < 2 / 3 else []

    size, groups = int(rng.choice([2, 3, 4])), []
    for part in range(2 if number % 2 else 1):
        more = divided(size)
        step, where = int(rng.integers(1, STEPS)), str(rng.choice(["forward", "backward", "update"]))
        if more and rng.random() < 0.5:
            step, where = min(step // INTERVAL * INTERVAL + INTERVAL, STEPS) - 1, str(rng.choice(["save", "written"]))
        words = TRAIN if part == 0 else RESUME
        groups.append(server.train([*words, *more], size, folder, kill=(int(rng.integers(size)), step, where)))
        size = int(rng.choice([1, 2, 4]))
    groups.append(server.train([*RESUME, *divided(size)], size, folder))
    return groups


def main() -> None:
    """Run the trials, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=20, help="number of trials")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard", action="store_true", help="divide the model among processes in most groups")
    given = parser.parse_args()
    rng, server, bad, kills = np.random.default_rng(given.seed), RankServer(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        whole = rows([server.train(TRAIN, 1, _made(Path(folder, "whole")))])
        for number in range(given.kills):
            groups = trial(server, _made(Path(folder, str(number))), rng, number, shard=given.shard)
            found = rows(groups)
            lost = sum((whole[step] - found.get(step, Counter())).total() for step in whole)
            twice = sum((found[step] - whole.get(step, Counter())).total() for step in found)
            kills += sum(code == -9 for group in groups for code in group.codes)
            lines = [line for group in groups[:-1] for err in group.err for line in err.splitlines()]
            is_good = lost == twice == 0 and set(groups[-1].codes) == {0}
            bad += not is_good
            print(
                f"trial {number + 1}: processes {[len(group.codes) for group in groups]}, exit codes "
                f"{[group.codes for group in groups]}, rows lost {lost}, read twice {twice}, lines {len(lines)}",
                flush=True,
            )
    server.close()
    print(f"{kills} processes killed in {given.kills} trials; {bad} trials lost data, read some twice or did not end.")
    sys.exit(bad > 0)


def _made(folder: Path) -> Path:
    folder.mkdir()
    (folder / "names.txt").write_text("\n".join(f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrst"))
    return folder


if __name__ == "__main__":
    main()
