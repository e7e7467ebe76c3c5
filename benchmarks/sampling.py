"""Sampling 10,000 names: from each model, from GPT with and without its key-value cache, and with the lecture's loop.

Untrained networks sample texts of any length, so each network is first trained for 300 steps. That takes seconds and
gives items about as long as names: 6 or 7 characters and an end.
"""

import statistics
import time
from functools import partial
from typing import Any

import numpy as np
import torch

from backlight.core import IntArray
from backlight.core.threads import limit_threads
from backlight.models import MLP, MODELS, Decoder
from backlight.models.neural import NeuralModel
from backlight.models.ngram import NGram
from backlight.nn import fold
from backlight.optim import clip_grad_norm
from backlight.sample import SampleConfig, sample_batch
from backlight.text import Vocabulary
from backlight.training import Run, RunConfig
from backlight.training.compiled_step import Stepper
from benchmarks.harness import Comparison, compare, save

COUNT = 10_000
TRAINED = 300
BLOCKS = 5
CONFIG = SampleConfig()
LECTURE = {"context": 3, "embedding": 10, "hidden": [200]}


def trained(name: str, settings: dict[str, Any] | None = None) -> tuple[Any, Vocabulary]:
    """Return a model with its default configuration after a short training, and its vocabulary."""
    training = {} if MODELS[name].counted else {"steps": TRAINED, "warmup": 20, "ema_decay": None}
    run = Run.create(RunConfig.of("names", model=name, **(settings or {}), **training))
    if isinstance(run.model, NGram):
        run.count()
        return run.model, run.vocabulary
    train(run)
    return fold(run.model.eval()), run.vocabulary


def train(run: Run) -> None:
    """Train a run, without evaluation."""
    config, model = run.config.train, run.model
    assert isinstance(model, NeuralModel)
    assert config is not None
    flat, rate, rng = model.flat(), config.rate(), run.batch_rng()
    optimiser, stepper = config.build(flat), Stepper(model)
    model.set_rng(rng)
    for step in range(config.steps):
        stepper.forward(run.data["train"].sample(config.batch_size, rng))
        stepper.backward()
        if config.grad_clip is not None:
            clip_grad_norm(flat, config.grad_clip)
        optimiser.lr = rate(step)
        optimiser.step()


def names_from(name: str) -> dict[str, Any]:
    """Return the median time of sampling 10,000 names from a model."""
    model, vocabulary = trained(name)
    seconds, characters = [], 0
    for seed in range(BLOCKS):
        started = time.perf_counter()
        samples = sample_batch(model, vocabulary, COUNT, config=CONFIG, rng=np.random.default_rng(seed))
        seconds.append(time.perf_counter() - started)
        characters += sum(len(sample.probabilities) for sample in samples)
    return {
        "model": name, "parameters": model.num_parameters(), "seconds": statistics.median(seconds),
        "characters_an_item": characters / (BLOCKS * COUNT),
    }  # fmt: skip


class Again(Decoder):
    """A decoder without a cache: for each character, it reads the whole context of each text again."""

    def __init__(self, model: NeuralModel, x_BT: IntArray) -> None:
        self.model, self.x_WT, self.which = model, x_BT, np.arange(len(x_BT))
        self.logits = model.next_logits(x_BT)

    def keep(self, texts: IntArray) -> None:
        """Keep only these texts, (N,)."""
        self.x_WT, self.which = self.x_WT[texts], np.arange(len(texts))

    def advance(self, ids: IntArray) -> None:
        """Append ids (W,) to the texts, and compute the next logits."""
        self.x_WT = np.concatenate([self.x_WT, ids[:, None]], axis=1)[:, -self.model.context :]
        self.logits = self.model.next_logits(self.x_WT)


class Forgetful:
    """A model that decodes without a cache."""

    def __init__(self, model: NeuralModel) -> None:
        self.vocabulary_size, self.context, self.reads = model.vocabulary_size, model.context, model.reads
        self.next_logits = model.next_logits
        self.decoder = partial(Again, model)


def cache() -> Comparison:
    """Compare GPT with and without its cache, and check that both sample the same names."""
    model, vocabulary = trained("gpt")

    def names(of: Any, seed: int, count: int = COUNT) -> list[str]:
        samples = sample_batch(of, vocabulary, count, config=CONFIG, rng=np.random.default_rng(seed))
        return [sample.text for sample in samples]

    first, second = names(model, 0, 1_000), names(Forgetful(model), 0, 1_000)
    same = np.mean([mine == other for mine, other in zip(first, second, strict=True)])
    assert same > 0.99, f"both sides must sample the same names; {same:.1%} are"  # up to the last bits of a logit
    forgetful = Forgetful(model)
    return compare(
        "10,000 names from the default GPT", "the same without its key-value cache: each text read again",
        lambda step: names(model, step), lambda step: names(forgetful, step),
        threads=1, at_least=5, steps=1, blocks=BLOCKS, warm_up=1,
    )  # fmt: skip


def lecture(model: MLP, vocabulary: Vocabulary) -> list[str]:
    """Sample as lecture 3 does: one name at a time, one character at a time, each drawn by `torch.multinomial`."""
    C = torch.tensor(model.embedding.weight.array)
    W1, b1 = (torch.tensor(p.array) for p in (model.hidden[0].weight, model.hidden[0].bias))
    W2, b2 = (torch.tensor(p.array) for p in (model.output.weight, model.output.bias))
    generator = torch.Generator().manual_seed(1)
    names = []
    with torch.no_grad():
        for _ in range(COUNT):
            name, context = [], [0] * model.context
            while True:
                h = torch.tanh(C[torch.tensor([context])].view(1, -1) @ W1 + b1)
                p = torch.softmax(h @ W2 + b2, dim=1)
                drawn = torch.multinomial(p, num_samples=1, generator=generator).item()
                if drawn == 0:
                    break
                context = [*context[1:], drawn]
                name.append(drawn)
            names.append(vocabulary.decode(np.array(name, np.int64)))
    return names


def loop() -> Comparison:
    """Compare the sampler with the lecture's loop on lecture 3's MLP, and check that the mean lengths agree."""
    model, vocabulary = trained("mlp", LECTURE)
    lengths: dict[str, list[int]] = {"ours": [], "theirs": []}

    def ours(step: int) -> None:
        samples = sample_batch(model, vocabulary, COUNT, config=CONFIG, rng=np.random.default_rng(step))
        lengths["ours"] += [len(sample.text) for sample in samples]

    def theirs(_: int) -> None:
        lengths["theirs"] += map(len, lecture(model, vocabulary))

    result = compare(
        "10,000 names from lecture 3's MLP", "the lecture's loop in PyTorch", ours, theirs,
        threads=1, at_least=50, steps=1, blocks=BLOCKS, warm_up=1,
    )  # fmt: skip
    mean = {side: float(np.mean(found)) for side, found in lengths.items()}
    assert abs(mean["ours"] - mean["theirs"]) < 0.15, f"both sides must have the same mean length; got {mean}"
    return result


def main() -> None:
    """Measure all models on one thread."""
    torch.set_num_threads(1)
    with limit_threads(1):
        comparisons = [cache(), loop()]
        models = [names_from(name) for name in MODELS]
    save("sampling", comparisons, count=COUNT, trained=TRAINED, models=models)
    for row in models:
        print(f"{row['model']:8} {row['seconds']:6.3f} s for {COUNT:,} of {row['characters_an_item']:.1f} characters")


if __name__ == "__main__":
    main()
