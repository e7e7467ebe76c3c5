"""Time and memory of data preparation, from the file to batches and counts, for 32 thousand to 10 million lines.

    python -m benchmarks.scale [LINES ...]

Lines have 60 to 140 characters, on average 100 with the line end, so that 10 million are 1 GB. Each size runs in its
own process, which does everything that training does before the first step: read, split, build the vocabulary, hash the
training set, encode, cut into windows, draw batches, cut into sequences, count n-grams. Peak memory is the largest
resident set of the process. It includes pages of memory-mapped temporary files with long ids, which the system can
reclaim. The memory that it cannot reclaim (the largest after any stage) is reported too.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backlight.models.ngram import NGram, NGramConfig
from backlight.text import Sequences, Vocabulary, Windows, load_corpus, split_corpus, training_hashes
from benchmarks.harness import RESULTS, save

LINES = (32_000, 320_000, 3_200_000, 10_000_000)
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "scale.svg"
BATCHES = 2_000


def write(path: Path, lines: int) -> None:
    """Write random lines of letters and spaces with unequal frequencies."""
    rng = np.random.default_rng(1)
    letters = np.frombuffer(b"eatoinshrdlu cmfwypvbgkjqxz", np.uint8)
    with path.open("wb") as file:
        for start in range(0, lines, 50_000):
            ends = np.cumsum(rng.integers(60, 141, min(50_000, lines - start)))
            text = letters[(rng.random(ends[-1]) ** 1.5 * len(letters)).astype(np.uint8)]
            text[ends - 1] = ord("\n")
            file.write(text.tobytes())


def stages(path: Path) -> Iterator[str]:
    """Run all stages, and yield the name of each when it is done."""
    corpus = load_corpus(str(path))
    yield "read"
    splits = split_corpus(corpus, seed=1)
    yield "split"
    vocabulary = Vocabulary.of(corpus.items)
    yield "vocabulary"
    training_hashes(corpus.items)
    yield "seen"
    encoded = vocabulary.encode_items(splits.train.items)
    yield "encode"
    windows = Windows(encoded, 3)
    yield "windows"
    rng = np.random.default_rng(1)
    for _ in range(BATCHES):
        windows.sample(32, rng)
    yield "batches"
    del windows
    Sequences(encoded, 32)
    yield "sequences"
    NGram(NGramConfig(vocabulary_size=vocabulary.size, order=4, smoothing="add-k", k=1.0)).fit(encoded)
    yield "4-grams"


def measure(path: Path) -> dict[str, Any]:
    """Return the seconds of each stage, and the memory of all of them in bytes."""
    seconds: dict[str, float] = {}
    before, kept = _anonymous(), 0
    started = time.perf_counter()
    for stage in stages(path):
        now = time.perf_counter()
        seconds[stage] = now - started
        kept = max(kept, _anonymous())
        started = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "peak": peak, "kept": kept, "at_start": before}


def _anonymous() -> int:
    """Return the resident memory that is not mapped from files, in bytes."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def run(lines: int) -> dict[str, Any]:
    """Measure one size in its own process."""
    with tempfile.TemporaryDirectory(prefix="backlight_scale_") as folder:
        path = Path(folder) / "lines.txt"
        write(path, lines)
        command = [sys.executable, "-m", "benchmarks.scale", "--measure", str(path)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return {"lines": lines, "bytes": path.stat().st_size, **found}


def table(record: dict[str, Any]) -> list[str]:
    """Return the lines of docs/performance.md on the scale of data."""
    rows = record["sizes"]
    names = [name for name in rows[0]["seconds"] if name != "batches"]
    lines = [
        "",
        "## Scale of data",
        "",
        "Data preparation before the first training step, by `benchmarks/scale.py`: seconds for each stage, and",
        "microseconds for a batch of 32 windows. Peak memory is the largest resident set of the process. Beyond 256",
        "MB, ids are in memory-mapped temporary files; their pages, which the system can reclaim, are part of the peak",
        "but not of the last column. Training needs windows or sequences or counts, not all three.",
        "",
        f"| lines | MB | {' | '.join(names)} | batch | peak MB | not reclaimable |",
        f"|{'---|' * (len(names) + 5)}",
    ]
    for row in rows:
        seconds = " | ".join(f"{row['seconds'][name]:.2f}" for name in names)
        batch = row["seconds"]["batches"] / BATCHES * 1e6
        lines.append(
            f"| {row['lines']:,} | {row['bytes'] / 1e6:,.0f} | {seconds} | {batch:.1f} µs "
            f"| {row['peak'] / 1e6:,.0f} | {row['kept'] / 1e6:,.0f} |"
        )
    return [*lines, "", "![Time and memory against the number of lines](images/scale.svg)"]


def draw(record: dict[str, Any]) -> None:
    """Plot time and memory against size."""
    from matplotlib.figure import Figure

    rows = record["sizes"]
    lines = [row["lines"] for row in rows]
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in rows[0]["seconds"]:
        if name != "batches":
            left.plot(lines, [row["seconds"][name] for row in rows], marker="o", label=name)
    left.plot(
        lines,
        [sum(row["seconds"].values()) for row in rows],
        marker="o",
        color="black",
        linewidth=2.5,
        label="total",
    )
    left.set(xscale="log", yscale="log", xlabel="lines of 100 characters", ylabel="seconds")
    left.legend(fontsize=8, ncols=2)
    right.plot(lines, [row["peak"] / 1e6 for row in rows], marker="o", color="black", label="peak resident memory")
    right.plot(lines, [row["kept"] / 1e6 for row in rows], marker="o", label="without mapped files")
    right.plot(lines, [row["bytes"] / 1e6 for row in rows], marker="o", linestyle=":", color="gray", label="the text")
    right.set(xscale="log", yscale="log", xlabel="lines of 100 characters", ylabel="MB")
    right.legend(fontsize=8)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})


def main(arguments: list[str]) -> None:
    """Measure all sizes and save the results, or only print those of the given sizes."""
    if arguments[:1] == ["--measure"]:
        print(json.dumps(measure(Path(arguments[1]))))
        return
    sizes = []
    for lines in map(int, arguments) if arguments else LINES:
        sizes.append(run(lines))
        row = sizes[-1]
        print(
            f"{lines:,} lines, {row['bytes'] / 1e6:,.0f} MB: {sum(row['seconds'].values()):.1f} s, "
            f"peak {row['peak'] / 1e6:,.0f} MB, {row['kept'] / 1e6:,.0f} MB of it not reclaimable"
        )
    if not arguments:
        save("scale", [], sizes=sizes)
        draw(json.loads((RESULTS / "scale.json").read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
