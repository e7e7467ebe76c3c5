"""From a plan to a trained model in a run directory, and from a run directory back to the model."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from backlight.core import RunError
from backlight.models import LanguageModel, settings_of
from backlight.models.neural import NeuralModel
from backlight.models.ngram import NGram
from backlight.nn import fold
from backlight.runs import RunDirectory
from backlight.text import Corpus, Vocabulary, load_corpus, training_hashes
from backlight.training.evaluate import SAMPLE_TARGETS, bits, mean_nll
from backlight.training.plan import Plan
from backlight.training.records import FirstLoss
from backlight.training.setup import Setup, build_model
from backlight.training.trainer import Trainer
from backlight.watch.records import SplitFacts


@dataclass(frozen=True, kw_only=True)
class Session(Setup):
    """A run that is ready to be trained. For the other attributes see `Setup`.

    Attributes:
        run: where it is kept.
    """

    run: RunDirectory

    def trainer(self) -> Trainer:
        """Return the loop for a network, restored from the run's checkpoint if it has one."""
        assert isinstance(self.model, NeuralModel)  # noqa: S101  (a plan has a recipe only for networks)
        assert self.plan.recipe is not None  # noqa: S101
        trainer = Trainer(
            model=self.model,
            train=self.data["train"],
            dev=self.data["dev"],
            recipe=self.plan.recipe,
            rng=self.batches(),
            run=self.run,
            watch_every=self.plan.watch_every,
            split=self._split_facts() if self.plan.watch_every is not None and self.ends else None,
        )
        if self.run.has_checkpoint:
            trainer.restore()
        return trainer

    def _split_facts(self) -> SplitFacts:
        """Return how many of the held-out items stand in the training part too."""
        train, dev = self.splits.train.items, self.splits.dev.items
        known = set(train)
        return SplitFacts(train=len(train), dev=len(dev), shared=sum(item in known for item in dev))

    def count(self) -> float:
        """Fit a model that counts, and save it. Returns the seconds that it took."""
        started = time.perf_counter()
        assert isinstance(self.model, NGram)  # noqa: S101  (the only rung that counts)
        encoded = (
            self.vocabulary.encode_items(part.items, ends=self.ends) for part in (self.splits.train, self.splits.dev)
        )
        self.model.fit(*encoded)
        self.run.save_weights(self.model.state_dict(), {"step": 0})
        return time.perf_counter() - started

    def result(self, *, steps: int, seconds: float) -> dict[str, Any]:
        """Check the kept model on all three splits, save the verdict and return it.

        Args:
            steps: minibatches taken; 0 for a model that counts.
            seconds: what training took.
        """
        arrays, facts = self.run.load_weights()
        self.model.load_state_dict(arrays)
        if isinstance(self.model, NeuralModel):
            self.model.eval()
        nats = {
            "train_nats": mean_nll(self.model, self.data["train"], at_most=SAMPLE_TARGETS),
            "dev_nats": mean_nll(self.model, self.data["dev"]),
            "test_nats": mean_nll(self.model, self.data["test"]),
        }
        result = {
            "run": str(self.run.path),
            "model": self.plan.model,
            "corpus": self.plan.corpus,
            "parameters": self.model.num_parameters(),
            "context": self.model.context,
            "vocabulary_size": self.vocabulary.size,
            **FirstLoss.of(self.vocabulary.size, self.run.load_metrics()).to_json(),
            **nats,
            "dev_bits": bits(nats["dev_nats"]),
            "test_bits": bits(nats["test_nats"]),
            "steps": steps,
            "best_step": facts["step"],
            "seconds": seconds,
            "seed": self.plan.seed,
        }
        self.run.save_result(result)
        return result


def prepare(plan: Plan, path: Path | Callable[[Corpus], Path], *, stdin: BinaryIO | None = None) -> Session:
    """Read and split the text, build model and examples, and make the run directory: bad input leaves nothing.

    Args:
        plan: what is to be done.
        path: the run's folder, or what makes one up once the corpus is known.
        stdin: where a corpus "-" comes from.
    """
    corpus = load_corpus(plan.corpus, mode=plan.mode, stdin=stdin)
    setup = Setup.of(plan, corpus)
    model = setup.model
    config = {
        **plan.to_json(),
        "model": {"name": plan.model, "settings": settings_of(model.config)},
        "corpus": {"name": plan.corpus, "mode": corpus.mode, "sha256": corpus.sha256},
        "parameters": model.num_parameters() if isinstance(model, NeuralModel) else None,
    }
    for key in ("settings", "mode"):
        del config[key]
    run = RunDirectory.create(
        path(corpus) if callable(path) else path,
        config=config,
        vocabulary=setup.vocabulary.to_json(),
        seen=training_hashes(corpus.items if corpus.mode == "items" else []),
    )
    return Session(run=run, **vars(setup))


def reopen(run: RunDirectory, *, stdin: BinaryIO | None = None) -> Session:
    """Make a run ready to go on: read its text again and build its model.

    Raises:
        RunError: the text is not the one that the run began with.
    """
    plan = plan_of(run)
    corpus = load_corpus(plan.corpus, mode=plan.mode, stdin=stdin)
    if corpus.sha256 != run.config["corpus"]["sha256"]:
        given = "what standard input gave" if plan.corpus == "-" else repr(plan.corpus)
        raise RunError(
            f"a run must go on with the text it began with; {given} is not the text that {run.path} was started with. "
            "Give it that text again, or start a new run."
        )
    return Session(run=run, **vars(Setup.of(plan, corpus)))


def plan_of(run: RunDirectory) -> Plan:
    """Return the plan that a run was started with. Raises RunError if config.json does not hold one."""
    values = {
        key: value for key, value in run.config.items() if key not in {"format", "backlight", "created", "parameters"}
    }
    model, corpus = values.get("model"), values.get("corpus")
    if (
        not isinstance(model, dict)
        or not isinstance(corpus, dict)
        or not {"name", "mode", "sha256"} <= corpus.keys()
        or not isinstance(model.get("name"), str)
        or not isinstance(model.get("settings"), dict)
    ):
        raise RunError(f"config.json must name a model and a corpus; that of {run.path} does not. Train again.")
    settings = {name: value for name, value in model["settings"].items() if name != "vocabulary_size"}
    values |= {"model": model["name"], "settings": settings, "corpus": corpus["name"], "mode": corpus["mode"]}
    return Plan.from_json(values)


def load_model(run: RunDirectory) -> tuple[LanguageModel, Vocabulary]:
    """Return the best model of a run and its vocabulary, ready for use: in evaluation mode, batch norms folded.

    Raises:
        RunError: there are no weights yet, or they are damaged or not of this model.
    """
    vocabulary = Vocabulary.from_json(run.vocabulary)
    plan = plan_of(run)
    arrays, _ = run.load_weights()
    model = build_model(plan, vocabulary)
    model.load_state_dict(arrays)
    if isinstance(model, NeuralModel):
        model = fold(model)
    return model, vocabulary
