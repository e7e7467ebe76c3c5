"""Start-up time: `import backlight` and `backlight --help`, with a warm disk cache."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.harness import RESULTS, environment

BLOCKS = 11
PROMISED = {"import backlight": 0.2, "backlight --help": 0.5}


def seconds(command: list[str]) -> float:
    """Return the duration of a command."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Time both, and an empty interpreter for comparison."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import numpy": [sys.executable, "-c", "import numpy"],
        "import backlight": [sys.executable, "-c", "import backlight"],
        "backlight --help": [str(Path(sys.executable).with_name("backlight")), "--help"],
    }
    for command in commands.values():
        seconds(command)  # warms the disk cache
    taken = {name: [] for name in commands}
    for _ in range(BLOCKS):
        for name, command in commands.items():
            taken[name].append(seconds(command))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, median in medians.items():
        promised = PROMISED.get(name)
        verdict = "" if promised is None else f", target {promised} s: {'reached' if median <= promised else 'MISSED'}"
        print(f"{name}: {median:.3f} s ({min(taken[name]):.3f} to {max(taken[name]):.3f}){verdict}")
    RESULTS.mkdir(exist_ok=True)
    record = {"environment": environment(), "seconds": medians, "promised": PROMISED}
    (RESULTS / "start_up.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
