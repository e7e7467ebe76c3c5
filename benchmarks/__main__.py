"""Run every benchmark, each in a process of its own, and write the table: `make bench`."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import RESULTS

HERE = Path(__file__).parent
TABLE = HERE.parent / "docs" / "performance.md"
NOT_BENCHMARKS = {"__init__", "__main__", "harness"}


def main() -> None:
    """Run the scripts in this folder one after the other."""
    for script in sorted(HERE.glob("*.py")):
        if script.stem not in NOT_BENCHMARKS:
            subprocess.run([sys.executable, "-m", f"benchmarks.{script.stem}"], check=True)
    write_table()


def write_table() -> None:
    """Write docs/performance.md from the results."""
    records = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    machine = next(iter(records.values()))["environment"]
    lines = [
        "# How fast it is",
        "",
        "Written by `make bench`. Ours and the peer run in turn in one process on the same number of threads,",
        "from the same weights on the same batches, and their losses are compared; times are medians of 11",
        "blocks, a ratio is the median of the blocks' ratios, with the smallest and the largest in brackets.",
        "",
        f"Machine: {machine['processor']}, {machine['system']}, Python {machine['python']}, NumPy {machine['numpy']}.",
        "",
        "| claim | peer | threads | ours | peer's | ratio | at least |",
        "|---|---|---|---|---|---|---|",
    ]
    for record in records.values():
        lines += [
            f"| {one['claim']} | {one['peer']} | {one['threads']} | {one['ours'] * 1e6:,.0f} µs "
            f"| {one['theirs'] * 1e6:,.0f} µs | {one['ratio']:.2f} ({one['lowest']:.2f} to {one['highest']:.2f}) "
            f"| {one['at_least']:g} |"
            for one in record.get("comparisons", [])
        ]
    start_up = records["start_up"]
    lines += ["", "| start-up | seconds | at most |", "|---|---|---|"]
    for name, median in start_up["seconds"].items():
        lines.append(f"| `{name}` | {median:.3f} | {start_up['promised'].get(name, '')} |")
    TABLE.write_text("\n".join(lines) + "\n")
    print(f"wrote {TABLE}")


if __name__ == "__main__":
    main()
