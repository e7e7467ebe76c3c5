"""One training step of lecture 4's deep network: Backlight against the lecture's code, `torch.nn`, and `torch.compile`.

Six layers of 100 tanh units with batch norm (27-10x3, 100 x 5, 27), batch 32, SGD.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

from backlight.models import MLP, MLPConfig
from backlight.optim import SGD
from backlight.text import Vocabulary, Windows, load_corpus
from benchmarks.harness import Comparison, compare, save
from benchmarks.peers import lecture_layers as lecture
from benchmarks.steps import check_losses, compiled, our_step, threads, torch_step

STEPS = 200
LR = 0.1
BATCH = 32
SAME_FOR = 200
"""Steps in which the losses must agree; later, rounding errors may have grown."""


def new_model() -> MLP:
    """Return Backlight's network, always with the same weights."""
    config = MLPConfig(vocabulary_size=27, context=3, embedding=10, hidden=(100,) * 5, batch_norm=True)
    return MLP(config, rng=np.random.default_rng(1))


def lecture_model(model: MLP) -> lecture.Sequential:
    """Return the same network in the lecture's layers."""
    layers = [lecture.Embedding(model.embedding.weight.array), lecture.FlattenConsecutive()]
    for linear in model.hidden.layers[::3]:
        layers += [lecture.Linear(linear.weight.array), lecture.BatchNorm1d(100), lecture.Tanh()]
    return lecture.Sequential([*layers, lecture.Linear(model.output.weight.array, model.output.bias.array)])


class TorchMLP(nn.Module):
    """The same network in PyTorch's modules; returns the loss."""

    def __init__(self, model: MLP) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.tensor(model.embedding.weight.array), freeze=False)
        layers = []
        for ours in model.hidden.layers[::3]:
            linear = nn.Linear(ours.in_features, ours.out_features, bias=False)
            linear.weight.data.copy_(torch.tensor(ours.weight.array.T))
            layers += [linear, nn.BatchNorm1d(100), nn.Tanh()]
        last = nn.Linear(100, 27)
        last.weight.data.copy_(torch.tensor(model.output.weight.array.T))
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the mean loss, (), for x (B, T) and y (B,)."""
        return F.cross_entropy(self.layers(self.embedding(x).flatten(1)), y)


def measure(count: int) -> list[Comparison]:
    """Compare Backlight with each of the three peers, on this many threads."""
    corpus = load_corpus("names")
    vocabulary = Vocabulary.of(corpus.items)
    data = Windows(vocabulary.encode_items(corpus.items), 3)
    whole = data.batch(np.arange(len(data)))
    rows = np.random.default_rng(2).integers(0, len(data), (20_000, BATCH))
    found = []
    for peer, at_least in (("the lecture's PyTorch", 5), ("torch.nn, eager", 3), ("torch.compile", 3)):
        our_losses: list[float] = []
        their_losses: list[float] = []
        model = new_model()
        with threads(count):
            if peer == "the lecture's PyTorch":
                x, y = torch.tensor(whole.x), torch.tensor(whole.y)
                theirs = lecture.lecture_step(lecture_model(model), x, y, torch.tensor(rows), LR, their_losses)
            else:
                module = TorchMLP(model)
                loss_of = module
                if peer == "torch.compile":
                    loss_of, _ = compiled(module, torch.tensor(whole.x[:BATCH]), torch.tensor(whole.y[:BATCH]))
                    module.load_state_dict(TorchMLP(model).state_dict())
                optimiser = torch.optim.SGD(module.parameters(), LR)
                theirs = torch_step(loss_of, optimiser, whole.x, whole.y, rows, their_losses)
            ours = our_step(model, SGD(model.parameters(), LR), data, rows, our_losses)
            found.append(
                compare(
                    "batch-norm MLP step, lecture 4", peer, ours, theirs, threads=count, at_least=at_least, steps=STEPS
                )
            )
        check_losses(our_losses, their_losses, first=SAME_FOR)
    return found


def main() -> None:
    """Measure on one thread, then on two."""
    save("batch_norm_step", measure(1) + measure(2))


if __name__ == "__main__":
    main()
