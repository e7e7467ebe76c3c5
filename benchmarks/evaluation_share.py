"""The share of evaluation in a run, in processor time: evaluations of the curve, and the result at the end.

    python -m benchmarks.evaluation_share [--model MODEL] [--mode MODE] FILE ...

Each FILE is a corpus's name or a path, read and trained with all defaults of the model. Nothing is written.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from backlight.training import Run, RunConfig, Trainer


def measure(config: RunConfig) -> tuple[float, float, dict[str, Any]]:
    """Train a model. Returns the seconds of evaluation, those of the whole run, and the result."""
    inside = 0.0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                inside += time.process_time() - started

        return call

    began = time.process_time()
    run = Run.create(config)
    with (
        patch.object(Trainer, "_evaluate", timed(Trainer._evaluate)),
        patch.object(Run, "evaluate", timed(Run.evaluate)),
    ):
        run.train()
    assert run.result is not None
    return inside, time.process_time() - began, run.result


def main() -> None:
    """Print a line for each text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--model", default="mlp")
    parser.add_argument("--mode", choices=("items", "text"))
    given = parser.parse_args()
    for file in given.files:
        inside, whole, result = measure(RunConfig.of(file, model=given.model, mode=given.mode))
        print(
            f"{given.model} on {file}: {inside:.1f} of {whole:.1f} s of processor time, {inside / whole:.1%}; "
            f"dev {result['dev_nats']:.4f}, test {result['test_nats']:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
