"""Encode a large text as token files by one process and by two, and measure time and memory.

    python -m benchmarks.encoding [--megabytes 1000] [--rounds 3]

The text is made of the lines of the embedded plays in random order, so most of its words are in the tokenizer's cache:
a text of the world has more rare words, and takes longer. Both sides must write the same files.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from backlight.text import load_corpus
from backlight.text.tokenizers import BPETokenizer
from benchmarks.harness import RESULTS, environment

AT_LEAST = 1.8
TOKENS = 4096
SIDES = (1, 2)


def main() -> None:
    """Encode in turn, and print and save what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        play = load_corpus("shakespeare").items[0]
        BPETokenizer.train(play, TOKENS, special_tokens=["<|endoftext|>"]).save(folder / "tokenizer.json")
        size = make_text(folder / "text.txt", play, given.megabytes)
        seconds: dict[int, list[float]] = {processes: [] for processes in SIDES}
        sums = set()
        for number in range(given.rounds):
            for processes in SIDES:
                out = folder / f"out-{number}-{processes}"
                seconds[processes].append(timed(folder, out, processes))
                sums.add(checksum(out))
                tokens = json.loads((out / "tokens.json").read_text())["train"]["tokens"]
                for path in out.iterdir():
                    path.unlink()
    assert len(sums) == 1, "the files depend on the number of processes"
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    record: dict[str, Any] = {
        "bytes": size, "train_tokens": tokens, "cores": os.cpu_count(),
        "seconds": {str(processes): median(times) for processes, times in seconds.items()},
        "ratio": median(ratios), "lowest": min(ratios), "highest": max(ratios), "at_least": AT_LEAST,
        "largest_process_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "environment": environment(),
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "encoding.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


def make_text(path: Path, play: str, megabytes: int) -> int:
    """Write the lines of a text in random order, again and again, up to so many megabytes. Returns the bytes."""
    rng = np.random.default_rng(1)
    lines = [line.encode() + b"\n" for line in play.splitlines() if line.strip()]
    written = 0
    with path.open("wb") as file:
        while written < megabytes * 1_000_000:
            written += file.write(b"".join(lines[n] for n in rng.permutation(len(lines)).tolist()))
    return written


def timed(folder: Path, out: Path, processes: int) -> float:
    """Return the seconds of the command, from its start to its end."""
    began = time.perf_counter()
    subprocess.run(
        [
            sys.executable, "-m", "backlight", "data", "encode", folder / "text.txt", "--out", out, "--tokens",
            folder / "tokenizer.json", "--processes", str(processes),
        ],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - began


def checksum(out: Path) -> str:
    """Return a checksum of all files of a folder."""
    sha = hashlib.sha256()
    for path in sorted(out.iterdir()):
        sha.update(path.name.encode() + path.read_bytes())
    return sha.hexdigest()


if __name__ == "__main__":
    main()
