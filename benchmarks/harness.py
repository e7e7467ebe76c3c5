"""How two sides are timed against each other fairly: in one process, in turn, on the same number of threads."""

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
    """One claim, measured.

    Attributes:
        claim: what is compared.
        peer: against what.
        threads: BLAS threads on both sides.
        ours: median seconds a step, of the blocks' means.
        theirs: likewise.
        ratio: median over the blocks of theirs / ours: how many times as fast ours is.
        lowest: the smallest of those.
        highest: the largest.
        at_least: what was promised.
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
        """Whether the promise holds."""
        return self.ratio >= self.at_least


def compare(
    claim: str, peer: str, ours: Callable[[int], Any], theirs: Callable[[int], Any], *, threads: int, at_least: float,
    steps: int, blocks: int = 11, warm_up: int = 100, our_steps: int | None = None,
) -> Comparison:  # fmt: skip
    """Time two functions of the step in turn, a block each, and compare block by block.

    Neighbouring blocks see the same machine, so the ratio is steadier than either time. Each side counts its own steps
    from 0, so both do the same work. Where ours is too quick to be timed in so few steps, it takes `our_steps` a block.
    """
    done = {ours: 0, theirs: 0}

    def block(side: Callable[[int], Any], count: int) -> float:
        first = done[side]
        gc.collect()  # what the other side left behind is not this one's work
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
    """Sum up blocks, each of which gave our seconds and the peer's."""
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
    """Return a time in s, ms or µs, with three digits or so."""
    for unit, size, from_ in (("s", 1.0, 1.0), ("ms", 1e-3, 1e-2)):
        if seconds >= from_:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds * 1e6:,.0f} µs"


def environment() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": sys.modules["torch"].__version__ if "torch" in sys.modules else None,
        "blas": sorted({f"{info['internal_api']} {info['version']}" for info in threadpool_info()}),
    }


def save(name: str, comparisons: list[Comparison], **extra: Any) -> None:
    """Write the figures as JSON and print them."""
    RESULTS.mkdir(exist_ok=True)
    record = {"environment": environment(), "comparisons": [asdict(one) for one in comparisons], **extra}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    for one in comparisons:
        print(
            f"{one.claim}, {one.threads} thread{'s' * (one.threads > 1)}: {duration(one.ours)} against {one.peer} "
            f"{duration(one.theirs)}: {one.ratio:.2f} x ({one.lowest:.2f} to {one.highest:.2f}), "
            f"promised {one.at_least:g} x: {'kept' if one.kept else 'NOT KEPT'}"
        )
