"""Inference with each batch norm folded into the linear layer before it, against the same model unfolded."""

import numpy as np

from backlight.core.threads import limit_threads
from backlight.models import MLP, MLPConfig, WaveNet, WaveNetConfig
from backlight.models.neural import NeuralModel
from backlight.nn import fold, update_bn
from benchmarks.harness import Comparison, compare, save

STEPS = 100
ROWS = 1_024


def models() -> dict[str, NeuralModel]:
    """Return lecture 4's deep MLP and lecture 6's last network."""
    rng = np.random.default_rng(1)
    return {
        "MLP, 5 hidden layers": MLP(
            MLPConfig(vocabulary_size=27, context=3, embedding=10, hidden=(100,) * 5, batch_norm=True), rng=rng
        ),
        "WaveNet 76K": WaveNet(WaveNetConfig(vocabulary_size=27, embedding=24, hidden=128), rng=rng),
    }


def measure(name: str, model: NeuralModel, rows: int) -> Comparison:
    """Compare a model folded and unfolded on one thread, and check that the logits agree.

    Args:
        name: the name of the model.
        model: the model.
        rows: the number of rows of the input.
    """
    rng = np.random.default_rng(2)
    x = rng.integers(0, 27, (rows, model.context))
    update_bn(model, rng.integers(0, 27, (ROWS, model.context)))
    model.eval()
    folded = fold(model)
    apart = np.abs(folded.next_logits(x) - model.next_logits(x)).max()
    assert apart < 1e-6, f"the two sides must give the same logits; they are up to {apart:.2g} apart"
    with limit_threads(1):
        return compare(
            f"{name}, next logits of {rows} rows, folded", "the same, unfolded",
            lambda _: folded.next_logits(x), lambda _: model.next_logits(x),
            threads=1, at_least=1, steps=max(5, STEPS * 32 // rows), warm_up=5,
        )  # fmt: skip


def main() -> None:
    """Measure both models with few and with many rows."""
    save("folding", [measure(name, model, rows) for name, model in models().items() for rows in (1, 32, ROWS)])


if __name__ == "__main__":
    main()
