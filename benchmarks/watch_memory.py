"""The memory of `watch`: the peak of a process that trains a transformer, with and without it.

Each run is a process of its own on the CPU: a decoder of 110 million parameters (12 blocks of 768 channels, 32,768
tokens), AdamW, and a batch of 4 x 128. The first ten steps are all recorded, so a few steps show what a long training
needs at most.
"""

import json
import resource
import subprocess
import sys
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from backlight.health import watch
from benchmarks.harness import RESULTS, environment

TOKENS, CHANNELS, HEADS, BLOCKS = 32_768, 768, 12, 12
BATCH, CONTEXT, STEPS = 4, 128, 6
PROMISED = 1.05
WATCHED = "watched"


class Decoder(nn.Module):
    """A transformer over token ids (B, T), with logits (B, T, V)."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(TOKENS, CHANNELS), nn.Embedding(CONTEXT, CHANNELS)
        block = nn.TransformerEncoderLayer(CHANNELS, HEADS, 4 * CHANNELS, 0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, BLOCKS, enable_nested_tensor=False)
        self.head = nn.Linear(CHANNELS, TOKENS, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = self.tokens(ids) + self.places.weight[: ids.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        return self.head(self.blocks(x, mask=mask, is_causal=True))


def train(*, watched: bool) -> dict[str, Any]:
    """Take a few steps, and return the process's peak in bytes, the parameters, and the losses."""
    torch.manual_seed(0)
    model = Decoder()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    losses = []
    with watch(model) if watched else nullcontext() as watcher:
        for _ in range(STEPS):
            ids = torch.randint(TOKENS, (BATCH, CONTEXT + 1))
            loss = cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if watcher is not None:
                watcher.step(loss)
            losses.append(loss.item())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kilobytes on Linux
    return {"peak": peak, "parameters": sum(one.numel() for one in model.parameters()), "losses": losses}


def run(*words: str) -> dict[str, Any]:
    """Train in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.watch_memory", "train", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def table(record: dict[str, Any]) -> list[str]:
    """Return the lines on the memory of `watch`."""
    bare, watched = (record["peaks"][name] / 2**20 for name in ("bare", WATCHED))
    size = f"{record['parameters'] / 1e6:.0f} million parameters"
    sides = f"{bare:,.0f} MiB without `watch`, {watched:,.0f} MiB with it"
    return [
        "",
        "## Memory of `watch`",
        "",
        f"Peak of a process: a transformer of {size} (AdamW, batch {BATCH} x {CONTEXT}, all steps recorded):",
        f"{sides}: {watched / bare:.3f} times as much (target {PROMISED:g}).",
    ]


def main() -> None:
    """Compare both."""
    found = {"bare": run(), WATCHED: run(WATCHED)}
    assert found["bare"]["losses"] == found[WATCHED]["losses"], "the losses must be bit-identical"
    peaks = {name: one["peak"] for name, one in found.items()}
    ratio = peaks[WATCHED] / peaks["bare"]
    verdict = "reached" if ratio <= PROMISED else "MISSED"
    sizes = ", ".join(f"{name} {peak / 2**20:,.0f} MiB" for name, peak in peaks.items())
    millions = found["bare"]["parameters"] / 1e6
    print(f"{millions:.0f} million parameters: {sizes}: {ratio:.3f} x, target {PROMISED}: {verdict}")
    RESULTS.mkdir(exist_ok=True)
    record = {"environment": environment(), "parameters": found["bare"]["parameters"], "peaks": peaks}
    (RESULTS / "watch_memory.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        torch.set_num_threads(2)
        print(json.dumps(train(watched=WATCHED in sys.argv)))
    else:
        main()
