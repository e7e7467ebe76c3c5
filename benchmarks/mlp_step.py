"""One training step of lecture 3's MLP (27-10x3-200-27, batch 32): Backlight against the lecture's code in PyTorch."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from backlight.core.threads import limit_threads
from backlight.models import MLP, MLPConfig
from backlight.optim import SGD
from backlight.text import Vocabulary, Windows, load_corpus
from backlight.training.compiled_step import Stepper
from benchmarks.harness import Comparison, compare, save

STEPS = 400
LR = 0.1
BATCH = 32


def lecture(model: MLP, x: torch.Tensor, y: torch.Tensor, rows: torch.Tensor, losses: list[float]):
    """Return a step in the style of the lecture: plain tensors, no modules, a loop over parameters.

    Args:
        model: Backlight's network, whose initial weights are copied.
        x: (N, T) ids.
        y: (N,) targets.
        rows: (steps, B) the rows of each minibatch.
        losses: the list to which each loss is appended.
    """
    C = torch.tensor(model.embedding.weight.array)
    W1, b1 = (torch.tensor(p.array) for p in (model.hidden[0].weight, model.hidden[0].bias))
    W2, b2 = (torch.tensor(p.array) for p in (model.output.weight, model.output.bias))
    parameters = [C, W1, b1, W2, b2]
    for p in parameters:
        p.requires_grad = True

    def step(i: int) -> None:
        ix = rows[i]
        emb = C[x[ix]]
        h = torch.tanh(emb.view(-1, W1.shape[0]) @ W1 + b1)
        loss = cross_entropy(h @ W2 + b2, y[ix])
        for p in parameters:
            p.grad = None
        loss.backward()
        for p in parameters:
            p.data += -LR * p.grad
        losses.append(loss.item())

    return step


def backlight(model: MLP, data: Windows, rows: np.ndarray, losses: list[float]):
    """Return the same step as in Backlight's training loop.

    Args:
        model: the network.
        data: its windows.
        rows: (steps, B) the rows of each minibatch.
        losses: the list to which each loss is appended.
    """
    optimiser = SGD(model.parameters(), LR)
    stepper = Stepper(model)

    def step(i: int) -> None:
        loss = stepper.forward(data.batch(rows[i]))
        stepper.backward()
        optimiser.step()
        losses.append(loss)

    return step


def measure(threads: int) -> Comparison:
    """Compare both on this many threads, and check that their losses agree."""
    corpus = load_corpus("names")
    vocabulary = Vocabulary.of(corpus.items)
    data = Windows(vocabulary.encode_items(corpus.items), 3)
    whole = data.batch(np.arange(len(data)))
    config = MLPConfig(vocabulary_size=vocabulary.size, context=3, embedding=10, hidden=(200,))
    model = MLP(config, rng=np.random.default_rng(1))
    rows = np.random.default_rng(2).integers(0, len(data), (20_000, BATCH))
    our_losses: list[float] = []
    their_losses: list[float] = []
    torch.set_num_threads(threads)
    theirs = lecture(model, torch.tensor(whole.x), torch.tensor(whole.y), torch.tensor(rows), their_losses)
    ours = backlight(model, data, rows, our_losses)
    with limit_threads(threads):
        result = compare(
            "MLP step, lecture 3", "the lecture's PyTorch", ours, theirs, threads=threads, at_least=4, steps=STEPS
        )
    apart = np.abs(np.array(our_losses) - np.array(their_losses)).max()
    assert apart < 1e-3, f"the two sides must do the same work; their losses are up to {apart:.2g} apart"
    return result


def main() -> None:
    """Measure on one thread, then on two."""
    save("mlp_step", [measure(1), measure(2)])


if __name__ == "__main__":
    main()
