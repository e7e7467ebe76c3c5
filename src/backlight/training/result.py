"""The result of a training: the losses of the best weights on the three parts of the text."""

import time
from contextlib import nullcontext
from typing import Any

import numpy as np

from backlight.models import Mixture
from backlight.models.mixture import FITTED_CELLS
from backlight.models.neural import NeuralModel
from backlight.models.ngram import NGram
from backlight.runs import RunDirectory
from backlight.text import Items
from backlight.training.compiled_step import threads_for
from backlight.training.evaluate import (
    FEWEST_HELD_OUT,
    FEWEST_IN_RESULT,
    SAMPLE_TARGETS,
    SHARE_OF_RESULT,
    Evaluator,
    bits,
    evenly,
    mean_nll,
)
from backlight.training.parts import RunParts
from backlight.training.trainer import LARGE
from backlight.training.weights import load_weights, without_counts


def evaluate(run: RunParts, *, steps: int = 0, seconds: float = 0.0) -> dict[str, Any]:
    """Evaluate the best weights on all three splits, save the result and return it.

    Args:
        run: a run that is trained.
        steps: number of training steps taken; 0 for an n-gram model.
        seconds: training time.

    Raises:
        RunError: there are no weights yet, or they are damaged.
    """
    run.group.from_first(lambda: None)  # the weights are written
    facts = load_weights(run.store, run.model)
    parts: dict[str, float] = {}
    # on as many threads as the training: more cost processor time, and time on a busy machine, for small products
    trained, network = run.config.train, run.network
    with nullcontext() if trained is None or network is None else threads_for(network, trained.threads):
        if isinstance(run.model, Mixture):
            began = time.perf_counter()
            parts = _mix(run, run.model, facts)
            seconds += time.perf_counter() - began
        with np.errstate(over="ignore", invalid="ignore"):
            nats = _counted_nats(run, run.model) if isinstance(run.model, NGram) else _nats(run)
    result = {
        "run": str(run.path) if isinstance(run.store, RunDirectory) else None,
        "model": run.config.model,
        "corpus": run.config.corpus,
        "parameters": run.model.num_parameters(),
        "context": run.model.context,
        "vocabulary_size": run.vocabulary.size,
        **run.first_of(run.store.load_metrics()).to_json(),
        **nats,
        **parts,
        "dev_bits": bits(nats["dev_nats"]),
        "test_bits": bits(nats["test_nats"]),
        **_of_token_files(run, nats),
        "steps": steps,
        "best_step": facts["step"],
        "seconds": seconds,
        "seed": run.config.seed,
    }
    run.store.save_result(result)
    return result


def _nats(run: RunParts) -> dict[str, float]:
    """Return the losses of the three parts: of a large one, that of a sample."""
    evaluator = _evaluator(run)
    return {
        f"{part}_nats": mean_nll(
            run.model, run.data[part], at_most=result_targets(run, part), evaluator=evaluator, group=run.group
        )
        for part in ("train", "dev", "test")
    }


def _of_token_files(run: RunParts, nats: dict[str, float]) -> dict[str, float]:
    """Return the losses of dev and test in nats per token of token files, and in bits per byte if those are known."""
    found: dict[str, float] = {}
    counts = run.config.token_counts or {}
    for part in ("dev", "test") if counts else ():
        targets, characters, bytes_ = counts[part]
        whole = nats[f"{part}_nats"] * characters
        found[f"{part}_nats_per_token"] = whole / targets
        if bytes_:
            found[f"{part}_bits_per_byte"] = bits(whole / bytes_)
    return found


def _evaluator(run: RunParts) -> Evaluator | None:
    """Return what computes the losses: None for compiled kernels, which a mixture always needs."""
    if run.engine.engine != "torch" or not isinstance(run.model, NeuralModel):
        return None
    from backlight.training.torch_engine import torch_evaluator

    return torch_evaluator(run.engine, run.model, run.group)


def result_targets(run: RunParts, part: str) -> int | None:
    """Return the number of targets of "train", "dev" or "test" that are evaluated at the end; None for all.

    Of a large text, all would take longer than the training. An n-gram model is always evaluated on all.
    """
    if run.config.train is None:
        return None
    large, fewest = (SAMPLE_TARGETS, FEWEST_IN_RESULT) if part == "train" else (LARGE, FEWEST_HELD_OUT)
    most = max(fewest, int(SHARE_OF_RESULT * run.config.train.trained_on(run.data["train"])))
    return most if run.data[part].targets > max(large, most) else None


def _counted_nats(run: RunParts, model: NGram) -> dict[str, float]:
    """Return the losses of the three parts, each n-gram looked up once."""
    train = Items.of(run.splits.train.items)
    characters = int(train.lengths().sum()) + (len(train) if run.ends else 0)
    nats = {"train_nats": model.mean_nats() * model.targets / characters}
    for name, part in (("dev_nats", run.splits.dev), ("test_nats", run.splits.test)):
        encoded = run.encoded(part)
        nats[name] = model.mean_nats(encoded) * encoded.targets / encoded.characters
    return nats


def _mix(run: RunParts, mixture: Mixture, facts: dict[str, Any]) -> dict[str, float]:
    """Fit and save the weights of a mixture. Returns the dev loss of its network."""
    dev = evenly(run.data["dev"], FITTED_CELLS // run.vocabulary.size)
    mixture.fit_weights(dev)
    run.store.save_weights(without_counts(mixture.state_dict()), facts)
    at_most = result_targets(run, "dev")
    data = run.network_data["dev"]
    return {"network_dev_nats": mean_nll(mixture.network, data, at_most=at_most, group=run.group)}
