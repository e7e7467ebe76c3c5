"""Run every benchmark, each in a process of its own, and write the table: `make bench`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import health, scale
from benchmarks.harness import RESULTS

HERE = Path(__file__).parent
TABLE = HERE.parent / "docs" / "performance.md"
NOT_BENCHMARKS = {"__init__", "__main__", "harness", "steps"}


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
    lines += _floors(records["floors"])
    lines += scale.table(records["scale"])
    lines += health.table(records["health"])
    TABLE.write_text("\n".join(lines) + "\n")
    print(f"wrote {TABLE}")


def _floors(record: dict[str, Any]) -> list[str]:
    """Return the lines on what a step must cost and where its time goes."""
    rate, copying = record["flops_a_second"] / 1e9, record["bytes_a_second"] / 1e9
    lines = [
        "",
        "## Floors",
        "",
        "Forward and backward of a step on one thread, without batch and optimiser. The floor is its multiplications",
        f"and additions at the rate of NumPy's product of 768 x 768 ({rate:.0f} GFLOP/s), plus the bytes of all other",
        f"kernels, each array read or written once, at the rate of a copy in the second cache ({copying:.0f} GB/s).",
        "Shares are of the kernels' shortest times, forward and backward together.",
        "",
        "| step | MFLOP | MB | floor | taken | floor / taken | where the time goes |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in record["floors"]:
        total = sum(one["kernels"].values())
        largest = sorted(one["kernels"].items(), key=lambda item: -item[1])[:5]
        where = ", ".join(f"{name.replace('_', ' ')} {seconds / total:.0%}" for name, seconds in largest)
        lines.append(
            f"| {one['workload']} | {one['flops'] / 1e6:,.1f} | {one['bytes'] / 1e6:,.2f} "
            f"| {one['floor'] * 1e6:,.0f} µs | {one['seconds'] * 1e6:,.0f} µs "
            f"| {one['floor'] / one['seconds']:.2f} | {where} |"
        )
    return lines


if __name__ == "__main__":
    main()
