"""Time two functions against each other: in one process, in turn, on the same number of threads."""

import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from backlight.core.machine import processor

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        claim: the workload.
        peer: the name of the other side.
        threads: BLAS threads on both sides.
        ours: Backlight's seconds per step, the median of the blocks' means.
        theirs: the peer's seconds per step, likewise.
        ratio: the median over the blocks of theirs / ours: how many times as fast Backlight is.
        lowest: the smallest ratio of a block.
        highest: the largest ratio of a block.
        at_least: the target of the ratio.
    """

    claim: str
    peer: str
    threads: int
    ours: float
    theirs: float
    ratio: float
    lowest: float
    highest: float
    at_least: float

    @property
    def kept(self) -> bool:
        """Whether the ratio reaches the target."""
        return self.ratio >= self.at_least


def compare(
    claim: str, peer: str, ours: Callable[[int], Any], theirs: Callable[[int], Any], *, threads: int, at_least: float,
    steps: int, blocks: int = 11, warm_up: int = 100, our_steps: int | None = None,
) -> Comparison:  # fmt: skip
    """Time two functions in turn, in blocks of steps, and compare block by block.

    Neighbouring blocks run under the same conditions, so the ratio varies less than the times. Each side counts its
    steps from 0, so both do the same work.

    Args:
        claim: the workload.
        peer: the name of the other side.
        ours: Backlight's function of the step.
        theirs: the peer's function of the step.
        threads: BLAS threads on both sides.
        at_least: the target of the ratio.
        steps: steps per block.
        blocks: the number of blocks.
        warm_up: steps before the first block.
        our_steps: Backlight's steps per block, if it is too fast to be timed in `steps`.
    """
    done = {ours: 0, theirs: 0}

    def block(side: Callable[[int], Any], count: int) -> float:
        first = done[side]
        gc.collect()  # garbage of the other side must not count
        started = time.perf_counter()
        for step in range(first, first + count):
            side(step)
        taken = time.perf_counter() - started
        done[side] = first + count
        return taken / count

    block(ours, warm_up)
    block(theirs, warm_up)
    pairs = [(block(ours, our_steps or steps), block(theirs, steps)) for _ in range(blocks)]
    return compared(claim, peer, pairs, threads=threads, at_least=at_least)


def compared(
    claim: str, peer: str, pairs: Sequence[tuple[float, float]], *, threads: int, at_least: float
) -> Comparison:
    """Return the comparison of blocks.

    Args:
        claim: the workload.
        peer: the name of the other side.
        pairs: for each block, Backlight's seconds per step and the peer's.
        threads: BLAS threads on both sides.
        at_least: the target of the ratio.
    """
    ratios = [their_time / our_time for our_time, their_time in pairs]
    return Comparison(
        claim=claim,
        peer=peer,
        threads=threads,
        ours=statistics.median(pair[0] for pair in pairs),
        theirs=statistics.median(pair[1] for pair in pairs),
        ratio=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        at_least=at_least,
    )


def duration(seconds: float) -> str:
    """Return a time as text, in s, ms or µs."""
    for unit, size, from_ in (("s", 1.0, 1.0), ("ms", 1e-3, 1e-2)):
        if seconds >= from_:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds * 1e6:,.0f} µs"


def environment() -> dict[str, Any]:
    """Return the hardware and the versions that the results depend on."""
    return {
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": sys.modules["torch"].__version__ if "torch" in sys.modules else None,
        "blas": sorted({f"{info['internal_api']} {info['version']}" for info in threadpool_info()}),
    }


def save(name: str, comparisons: list[Comparison], **extra: Any) -> None:
    """Write the results as JSON and print them."""
    RESULTS.mkdir(exist_ok=True)
    record = {"environment": environment(), "comparisons": list(map(asdict, comparisons)), **extra}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    for c in comparisons:
        print(
            f"{c.claim}, {c.threads} thread{'s' * (c.threads > 1)}: {duration(c.ours)} against {c.peer} "
            f"{duration(c.theirs)}: {c.ratio:.2f} x ({c.lowest:.2f} to {c.highest:.2f}), "
            f"target {c.at_least:g} x: {'reached' if c.kept else 'MISSED'}"
        )
