"""The gradient of an embedding: up to which vocabulary a product with a one-hot matrix is faster than `np.add.at`."""

import json
import statistics
import time

import numpy as np

from backlight.core.threads import limit_threads
from benchmarks.harness import RESULTS, environment


def one_hot_product(dy: np.ndarray, rows: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """Sum rows with a matrix product.

    Args:
        dy: (N, D) the rows.
        rows: (N,) their ids.
        identity: (R, R) the identity matrix.
    """
    return identity.take(rows, axis=0).T @ dy


def scatter(dy: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Sum rows with `np.add.at`.

    Args:
        dy: (N, D) the rows.
        rows: (N,) their ids.
        count: the number of ids, R.
    """
    summed = np.zeros((count, dy.shape[1]), dy.dtype)
    np.add.at(summed, rows, dy)
    return summed


def microseconds(work, repeats: int = 200, blocks: int = 9) -> float:
    """Return the time of a call, in microseconds: the median over blocks of the mean over repeats.

    Args:
        work: the function.
        repeats: calls per block.
        blocks: the number of blocks.
    """
    times = []
    for _ in range(blocks):
        started = time.perf_counter()
        for _ in range(repeats):
            work()
        times.append((time.perf_counter() - started) / repeats * 1e6)
    return statistics.median(times)


def main() -> None:
    """Time both for vocabularies of 27 to 4,096 ids and several batch sizes and numbers of channels."""
    rng = np.random.default_rng(1)
    found = []
    with limit_threads(1):
        for size, channels in ((96, 10), (2_048, 32), (4_096, 128)):
            for count in (27, 64, 128, 256, 512, 1_024, 4_096):
                rows = rng.integers(0, count, size)
                dy = rng.standard_normal((size, channels)).astype(np.float32)
                identity = np.eye(count, dtype=np.float32)
                np.testing.assert_allclose(
                    one_hot_product(dy, rows, identity), scatter(dy, rows, count), rtol=1e-3, atol=1e-3
                )
                ours = microseconds(lambda: one_hot_product(dy, rows, identity), 50)  # noqa: B023  (used at once)
                theirs = microseconds(lambda: scatter(dy, rows, count), 50)  # noqa: B023
                found.append(
                    {"ids": size, "channels": channels, "vocabulary": count, "product": ours, "scatter": theirs}
                )
                print(f"{size} ids x {channels}, vocabulary {count}: product {ours:.0f} µs, scatter {theirs:.0f} µs")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scatter.json").write_text(
        json.dumps({"environment": environment(), "microseconds": found}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
