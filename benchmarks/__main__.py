"""Run every benchmark, each in its own process, and write docs/performance.md: `make bench`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import health, scale, watch_memory
from benchmarks.harness import RESULTS, duration

HERE = Path(__file__).parent
TABLE = HERE.parent / "docs" / "performance.md"
NOT_BENCHMARKS = {"__init__", "__main__", "evaluation_share", "harness", "molecules", "steps", "studio", "threads"}


def main() -> None:
    """Run the scripts in this folder one after the other."""
    for script in sorted(HERE.glob("*.py")):
        if script.stem not in NOT_BENCHMARKS:
            subprocess.run([sys.executable, "-m", f"benchmarks.{script.stem}"], check=True)
    write_table()


def write_table() -> None:
    """Write docs/performance.md from the results."""
    records = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    machines = sorted({_machine(record["environment"]) for record in records.values()})
    lines = [
        "# How fast it is",
        "",
        "Written by `make bench`. Backlight and the peer run in turn in one process, on the same number of threads,",
        "from the same weights and on the same batches, and their losses are compared. Times are medians of 11",
        "blocks (fewer if a block takes seconds). A ratio is the median of the blocks' ratios, with the smallest and",
        "the largest in brackets.",
        "",
        f"Machine: {' and '.join(machines)}.",
        "",
        "| workload | peer | threads | Backlight | peer | ratio | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for record in records.values():
        lines += [_row(comparison) for comparison in record.get("comparisons", [])]
    start_up = records["start_up"]
    lines += ["", "| start-up | seconds | target |", "|---|---|---|"]
    for name, median in start_up["seconds"].items():
        lines.append(f"| `{name}` | {median:.3f} | {start_up['promised'].get(name, '')} |")
    lines += _rates([*records["wavenet_step"]["shares"], *records["gpt_step"]["shares"]])
    lines += _floors(records["floors"])
    lines += scale.table(records["scale"])
    lines += health.table(records["health"])
    lines += watch_memory.table(records["watch_memory"])
    TABLE.write_text("\n".join(lines) + "\n")
    print(f"wrote {TABLE}")


def _row(row: dict[str, Any]) -> str:
    times = " | ".join(duration(row[side]) for side in ("ours", "theirs"))
    ratio = f"{row['ratio']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})"
    return f"| {row['claim']} | {row['peer']} | {row['threads']} | {times} | {ratio} | {row['at_least']:g} |"


def _machine(environment: dict[str, Any]) -> str:
    names = ("processor", "system", "python", "numpy")
    processor, system, python, numpy = (environment[name] for name in names)
    return f"{processor}, {system}, Python {python}, NumPy {numpy}"


def _rates(shares: list[dict[str, Any]]) -> list[str]:
    """Return the lines on the arithmetic throughput of whole steps."""
    lines = [
        "",
        "## Arithmetic throughput",
        "",
        "The floating-point operations of a step's matrix products, divided by the time of the whole step; and this",
        "rate relative to NumPy's for matrix products of the same shapes. The target is 0.6 on one thread.",
        "",
        "| step | threads | GFLOP/s | of NumPy's rate |",
        "|---|---|---|---|",
    ]
    for share in shares:
        name = share.get("claim", "WaveNet 76K step, lecture 6")
        lines.append(f"| {name} | {share.get('threads', 1)} | {share['gflops']:.0f} | {share['of_matmul']:.2f} |")
    return lines


def _floors(record: dict[str, Any]) -> list[str]:
    """Return the lines on the lower bounds of step times and where the time goes."""
    rate, copying = record["flops_a_second"] / 1e9, record["bytes_a_second"] / 1e9
    lines = [
        "",
        "## Lower bounds",
        "",
        "Forward and backward pass of a step on one thread, without batch and optimiser. The bound is the",
        f"floating-point operations of its products at NumPy's rate for 768 x 768 matrices ({rate:.0f} GFLOP/s), plus",
        "the memory traffic of all other kernels, each array once, at the rate of a copy in the second-level cache",
        f"({copying:.0f} GB/s).",
        "Shares are of the kernels' shortest times, forward and backward together.",
        "",
        "| step | MFLOP | MB | bound | time | bound / time | where the time goes |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record["floors"]:
        total = sum(row["kernels"].values())
        largest = sorted(row["kernels"].items(), key=lambda item: -item[1])[:5]
        where = ", ".join(f"{name.replace('_', ' ')} {seconds / total:.0%}" for name, seconds in largest)
        lines.append(
            f"| {row['workload']} | {row['flops'] / 1e6:,.1f} | {row['bytes'] / 1e6:,.2f} "
            f"| {row['floor'] * 1e6:,.0f} µs | {row['seconds'] * 1e6:,.0f} µs "
            f"| {row['floor'] / row['seconds']:.2f} | {where} |"
        )
    return lines


if __name__ == "__main__":
    main()
