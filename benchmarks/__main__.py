"""Run every benchmark, each in a process of its own, and write the table: `make bench`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import health, scale
from benchmarks.harness import RESULTS, duration

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
    machines = sorted({_machine(record["environment"]) for record in records.values()})
    lines = [
        "# How fast it is",
        "",
        "Written by `make bench`. Ours and the peer run in turn in one process on the same number of threads,",
        "from the same weights on the same batches, and their losses are compared; times are medians of 11",
        "blocks (fewer where a block takes seconds), a ratio is the median of the blocks' ratios, with the smallest",
        "and the largest in brackets.",
        "",
        f"Machine: {' and '.join(machines)}.",
        "",
        "| claim | peer | threads | ours | peer's | ratio | at least |",
        "|---|---|---|---|---|---|---|",
    ]
    for record in records.values():
        lines += [_row(one) for one in record.get("comparisons", [])]
    start_up = records["start_up"]
    lines += ["", "| start-up | seconds | at most |", "|---|---|---|"]
    for name, median in start_up["seconds"].items():
        lines.append(f"| `{name}` | {median:.3f} | {start_up['promised'].get(name, '')} |")
    lines += _rates([*records["wavenet_step"]["shares"], *records["gpt_step"]["shares"]])
    lines += _floors(records["floors"])
    lines += scale.table(records["scale"])
    lines += health.table(records["health"])
    TABLE.write_text("\n".join(lines) + "\n")
    print(f"wrote {TABLE}")


def _row(one: dict[str, Any]) -> str:
    times = " | ".join(duration(one[side]) for side in ("ours", "theirs"))
    ratio = f"{one['ratio']:.2f} ({one['lowest']:.2f} to {one['highest']:.2f})"
    return f"| {one['claim']} | {one['peer']} | {one['threads']} | {times} | {ratio} | {one['at_least']:g} |"


def _machine(environment: dict[str, Any]) -> str:
    names = ("processor", "system", "python", "numpy")
    processor, system, python, numpy = (environment[name] for name in names)
    return f"{processor}, {system}, Python {python}, NumPy {numpy}"


def _rates(shares: list[dict[str, Any]]) -> list[str]:
    """Return the lines on how much of the machine's rate of multiplication whole steps reach."""
    lines = [
        "",
        "## Rate of multiplication",
        "",
        "The multiplications and additions of a step's products over the time of the whole step, and that over the",
        "rate at which NumPy multiplies matrices of just those shapes. 0.6 was promised on one thread.",
        "",
        "| step | threads | GFLOP/s | of NumPy's rate |",
        "|---|---|---|---|",
    ]
    for one in shares:
        name = one.get("claim", "WaveNet 76K step, lecture 6")
        lines.append(f"| {name} | {one.get('threads', 1)} | {one['gflops']:.0f} | {one['of_matmul']:.2f} |")
    return lines


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
