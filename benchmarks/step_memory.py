"""Peak memory of training a GPT: Backlight's compiled steps against a plain PyTorch loop, each in a process of its own.

For each width: the peak resident memory of the process (VmHWM) after a few steps with AdamW, and what it had before,
with all imports done and no model. Memory, unlike time, may be measured on a busy machine.

    python -m benchmarks.step_memory
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

SIZES = ((64, 16, 32), (128, 64, 12), (256, 64, 12), (384, 64, 12))
"""Channels, context and batch; 6 layers of C/64 heads, 65 tokens, no dropout."""

STEPS = 4
LR = 1e-3


def main() -> None:
    """Print a line for each size."""
    for channels, context, batch in SIZES:
        (ours, before), (theirs, imported) = (_measured(side, channels, context, batch) for side in ("ours", "torch"))
        own, other = ours - before, theirs - imported
        print(
            f"{channels} channels, context {context}, batch {batch}: {ours / 2**20:.0f} MiB, PyTorch "
            f"{theirs / 2**20:.0f} MiB ({ours / theirs:.2f}); without what is imported {own / 2**20:.0f} and "
            f"{other / 2**20:.0f} MiB ({own / other:.2f})",
            flush=True,
        )


def _measured(side: str, *size: int) -> tuple[int, int]:
    words = [sys.executable, "-m", "benchmarks.step_memory", side, *map(str, size)]
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    return int(found[0]), int(found[1])


def _train(side: str, channels: int, context: int, batch: int) -> tuple[int, int]:
    """Train for some steps. Returns the peak memory and that before, in bytes."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 65, (STEPS, batch, context + 1))
    step = (_ours if side == "ours" else _torch)(channels, context)
    before = next(step)
    for one in rows:
        step.send((one[:, :-1].copy(), one[:, 1:].copy()))
    return _peak(), before


def _ours(channels: int, context: int) -> Any:
    from backlight.core import Batch
    from backlight.models import GPT, GPTConfig
    from backlight.optim import AdamW
    from backlight.training.compiled_step import Stepper, threads_for

    given = yield _peak()
    config = GPTConfig(
        vocabulary_size=65, context=context, n_embd=channels, n_layer=6, n_head=channels // 64, dropout=0
    )
    model = GPT(config, rng=np.random.default_rng(1))
    optimiser = AdamW(model.flat(), LR, betas=(0.9, 0.99), weight_decay=0.1, decay_vectors=False)
    stepper = Stepper(model)
    with threads_for(model, 1):
        while True:
            stepper.forward(Batch(*given))
            stepper.backward()
            optimiser.step()
            given = yield


def _torch(channels: int, context: int) -> Any:
    import torch

    from benchmarks.peers.torch_gpt import TorchGPT

    torch.set_num_threads(1)
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])  # the first optimiser imports much
    given = yield _peak()
    model = TorchGPT(65, context, channels, 6, channels // 64, 0.0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.99), weight_decay=0.1)
    while True:
        x, y = map(torch.from_numpy, given)
        optimiser.zero_grad()
        torch.autograd.backward(model(x, y))
        optimiser.step()
        given = yield


def _peak() -> int:
    """Return the peak resident memory of this process, in bytes: not `ru_maxrss`, which counts its parent's too."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None  # Linux has it
    return 1024 * int(found[1])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*_train(sys.argv[1], *map(int, sys.argv[2:])))
    else:
        main()
