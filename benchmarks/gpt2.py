"""GPT-2 124M with random weights: one more token with the cache, a prompt, and the memory to load it.

Each token reads all weights once, 498 MB in float32, so the rate of memory bounds its time. PyTorch's side is eager,
with a cache that is allocated once (`peers/torch_gpt2.py`). Both compute the same logits.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from backlight.export.hugging_face import gpt2_weights
from backlight.models import GPT, GPTConfig
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


def token(network: GPT) -> Comparison:
    """Compare one more token, after a prompt."""
    ids = np.random.default_rng(2).integers(1, network.vocabulary_size, PROMPT + WARM_UP + TOKENS * BLOCKS)
    theirs, caches = TorchGPT2(network), network.caches(1)
    mine: list[np.ndarray] = [network.begin(ids[None, :PROMPT], caches)[0]]
    others: list[torch.Tensor] = [theirs.read(torch.from_numpy(ids[:PROMPT]))]
    found = compare(
        "GPT-2 124M: one token with the cache", "PyTorch, eager, with a cache",
        lambda step: mine.append(network.step(ids[PROMPT + step : PROMPT + step + 1], caches)[0]),
        lambda step: others.append(theirs.read(torch.from_numpy(ids[PROMPT + step : PROMPT + step + 1]))),
        threads=1, at_least=1.7, steps=TOKENS, blocks=BLOCKS, warm_up=WARM_UP,
    )  # fmt: skip
    for one, other in zip(mine, others, strict=True):
        apart = np.abs(one - other.numpy()).max() / np.abs(one).max()
        assert apart < 1e-4, f"both sides must compute the same logits; they differ by {apart:.1e}"
    return found


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
    with threads(1):
        found = [token(network), prompt(network)]
    peak = peak_of_loading(network)
    rate = 4 * network.num_parameters() / found[0].ours
    save("gpt2", found, peak_bytes=peak, weight_bytes_a_second=rate)
    print(f"weights are read at {rate / 1e9:.1f} GB/s; the peak memory of loading and 16 tokens is {peak / 1e9:.3f} GB")


if __name__ == "__main__":
    main()
