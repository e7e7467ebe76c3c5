"""GPT-2 124M with random weights: one more token with the cache, a prompt, and the memory to load it.

Each token reads all weights once, 498 MB in float32, so the rate of memory bounds its time. The share of that rate that
is reached is printed: NumPy's maximum over the same number of bytes, on one thread, is the plain read to which it is
compared. PyTorch's side is eager and in float32, with a cache that is allocated once (`peers/torch_gpt2.py`). Both
compute the same logits; ours also with weights in 8 and 16 bits, whose rounding moves them. What that costs is measured
as the loss of a model that is trained on names, on its held-out part.

    python -m benchmarks.gpt2
"""

import copy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

import backlight
from backlight.export.hugging_face import gpt2_weights
from backlight.models import GPT, GPTConfig
from backlight.nn.compact import WEIGHTS, compact, weight_bytes
from benchmarks.harness import Comparison, compare, save
from benchmarks.peers.torch_gpt2 import TorchGPT2
from benchmarks.steps import threads

SIZES = {"vocabulary_size": 50_257, "context": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12, "dropout": 0.0}
PROMPT = 64
LONG_PROMPT = 512
TOKENS, BLOCKS, WARM_UP = 4, 9, 2

LOADING = """
import re
from pathlib import Path
import numpy as np
from backlight.models import GPTConfig
from backlight.pretrained.weight_files import WeightFiles
from backlight.pretrained.weights import gpt_with_weights
config = GPTConfig(**{sizes}, tie_weights=True)
network = gpt_with_weights(WeightFiles.of(Path({folder!r})), config, np.arange(config.vocabulary_size), unused=0)
texts = network.decoder(np.arange(1, 17)[None])
for token in range(16):
    texts.advance(np.array([token]))
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]))
"""


APART = {"float32": 1e-4, "float16": 2e-3, "bfloat16": 2e-2, "int8": 6e-2}
"""How far the logits may be from PyTorch's in float32, relative to the largest."""

AT_LEAST = {"float32": 1.7, "float16": 2.5, "bfloat16": 2.5, "int8": 3.5}


def token(network: GPT, weights: str, theirs: TorchGPT2) -> Comparison:
    """Compare one more token, after a prompt."""
    ids = np.random.default_rng(2).integers(1, network.vocabulary_size, PROMPT + WARM_UP + TOKENS * BLOCKS)
    theirs.length, caches = 0, network.caches(1)
    mine: list[np.ndarray] = [network.begin(ids[None, :PROMPT], caches)[0]]
    others: list[torch.Tensor] = [theirs.read(torch.from_numpy(ids[:PROMPT]))]
    found = compare(
        f"GPT-2 124M: one token with the cache, {weights}", "PyTorch, float32, eager, with a cache",
        lambda step: mine.append(network.step(ids[PROMPT + step : PROMPT + step + 1], caches)[0]),
        lambda step: others.append(theirs.read(torch.from_numpy(ids[PROMPT + step : PROMPT + step + 1]))),
        threads=1, at_least=AT_LEAST[weights], steps=TOKENS, blocks=BLOCKS, warm_up=WARM_UP,
    )  # fmt: skip
    for one, other in zip(mine, others, strict=True):
        apart = np.abs(one - other.numpy()).max() / np.abs(one).max()
        assert apart < APART[weights], f"both sides must compute the same logits; they differ by {apart:.1e}"
    return found


def plain_read(size: int) -> float:
    """Return the bytes a second at which one thread reads memory of this size."""
    memory, times = np.ones(size // 4, np.int32), []
    for _ in range(BLOCKS):
        started = time.perf_counter()
        memory.max()
        times.append(time.perf_counter() - started)
    return size / statistics.median(times)


def losses() -> dict[str, float]:
    """Return the mean loss on held-out names of a GPT that is trained on names, by the type of its weights."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "gpt"
        trained = backlight.train("names", model="gpt", steps=1500, run=run, progress=None)
        held_out = trained.run.splits.test.items
        return {weights: mean_nats(backlight.load(run, weights=weights), held_out) for weights in WEIGHTS}


def mean_nats(model: backlight.Model, texts: Sequence[str]) -> float:
    """Return the nats per character."""
    return float(model.score(texts).sum() / sum(len(text) + 1 for text in texts))


def prompt(network: GPT) -> Comparison:
    """Compare a prompt, read in one pass into an empty cache."""
    ids = np.random.default_rng(3).integers(1, network.vocabulary_size, LONG_PROMPT)
    theirs = TorchGPT2(network)

    def read(_: int) -> None:
        theirs.length = 0
        theirs.read(torch.from_numpy(ids))

    return compare(
        f"GPT-2 124M: a prompt of {LONG_PROMPT} tokens", "PyTorch, eager", lambda _: network.decoder(ids[None]), read,
        threads=1, at_least=1.0, steps=1, blocks=5, warm_up=1,
    )  # fmt: skip


def peak_of_loading(network: GPT) -> int:
    """Return the peak resident memory of a process that loads the weights and generates 16 tokens, in bytes.

    Not `ru_maxrss`, which counts the memory of the process that started it.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_file(gpt2_weights(network, np.arange(network.vocabulary_size)), Path(folder) / "model.safetensors")
        code = LOADING.replace("{sizes}", repr(SIZES)).replace("{folder!r}", repr(folder))
        run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(run.stdout)


def main() -> None:
    """Measure on one thread."""
    network = GPT(GPTConfig(**SIZES, tie_weights=True), rng=np.random.default_rng(1)).eval()
    found, rates, sizes = [], {}, {}
    with threads(1):
        found.append(prompt(network))
        theirs = TorchGPT2(network)
        for weights in WEIGHTS:
            narrow = copy.deepcopy(network) if weights != "float32" else network
            compact(narrow, weights)
            sizes[weights] = weight_bytes(narrow)
            found.append(token(narrow, weights, theirs))
            rates[weights] = sizes[weights] / found[-1].ours, plain_read(sizes[weights])
    peak, held_out = peak_of_loading(network), losses()
    save("gpt2", found, peak_bytes=peak, weight_bytes=sizes, bytes_a_second=rates, held_out_nats=held_out)
    for weights, (rate, plain) in rates.items():
        print(
            f"{weights}: {sizes[weights] / 1e6:.0f} MB of weights, read at {rate / 1e9:.1f} GB/s, {rate / plain:.0%} "
            f"of a plain read ({plain / 1e9:.1f} GB/s); held-out loss of a GPT on names {held_out[weights]:.4f}, "
            f"{held_out[weights] / held_out['float32'] - 1:+.3%}"
        )
    print(f"the peak memory of loading float32 and 16 tokens is {peak / 1e9:.3f} GB")


if __name__ == "__main__":
    main()
