"""Print the progress of a training, its result and samples."""

import math
from types import TracebackType
from typing import Any, Self

import numpy as np
from rich.cells import cell_len
from rich.console import Console

from backlight.cli.output import marked, one_line, separated, table, terminal_may_close, visible
from backlight.core import DomainError
from backlight.progress import ProgressBar
from backlight.sample import NotEnoughError, SampleConfig, sample_batch, sample_items
from backlight.sample.during import keep_samples, samples_at
from backlight.text.vocabulary import CHARACTERS
from backlight.training import Evaluation, FirstLoss, Progress, Run, Trainer, bits

_SAMPLES = 2
"""A separate random stream, so that printing samples does not change the training."""


class Live:
    """Prints a line with samples for each evaluation and, in a terminal, a progress bar.

    Args:
        out: the console.
        trainer: the trainer, whose callbacks are set.
        run: the run that is trained.
    """

    def __init__(self, out: Console, trainer: Trainer, run: Run) -> None:
        self.out, self.run, self.trainer = out, run, trainer
        self.bar = ProgressBar(out, steps=trainer.config.steps, step=trainer.step)
        run.store.cut_sampled(trainer.step)
        trainer.on_evaluation = self._evaluated
        trainer.on_progress = self._moved
        trainer.on_pause = self._paused

    def __enter__(self) -> Self:
        if self.trainer.step:
            self._head()
        self.bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.__exit__(kind, error, traceback)

    def _head(self) -> None:
        self.out.print(f"{'step':>7}  {'train':>6}  {'dev':>6}  {'bits':>5}   samples", style="bold")

    def _moved(self, progress: Progress) -> None:
        with terminal_may_close(self.trainer.request_stop):
            self.bar.update(progress)

    def _paused(self, step: int | None) -> None:
        with terminal_may_close(self.trainer.request_stop):
            self.out.print("Training goes on." if step is None else f"Paused at step {step:,} from another process.")

    def _evaluated(self, record: Evaluation) -> None:
        with terminal_may_close(self.trainer.request_stop):
            self._print(record)

    def _print(self, record: Evaluation) -> None:
        if record.step == 0:
            self._first_loss(self.run.first_of([record.to_json()]))
            if self.trainer.dev_targets is not None:
                self.out.print(
                    f"dev below: {self.trainer.dev_targets:,} of its {self.trainer.dev.targets:,} targets, evenly "
                    "spaced."
                )
            self._head()
        train = "-" if record.train_nats is None else _figure(record.train_nats, 4)
        dev, in_bits = _figure(record.dev_nats, 4), _figure(bits(record.dev_nats), 3)
        line = f"{record.step:>7,}  {train:>6}  {dev:>6}  {in_bits:>5}   {self._samples(record.step)}"
        self.out.print(line, no_wrap=True, overflow="crop")

    def _first_loss(self, first: FirstLoss) -> None:
        self.out.print(
            f"loss of a uniform guess: {uniform(self.run, first)}; "
            f"before training: {_figure(first.measured or 0.0, 4)} nats"
        )
        if first.warning is not None and self.run.config.start is None:
            by = (
                " Leave out --output-scale, or set it to 0.1."
                if hasattr(self.trainer.model.config, "output_scale")
                else ""
            )
            self.out.print(first.warning + by, style="bold yellow")

    def _samples(self, step: int) -> str:
        found = samples_at(self.run, self.trainer.model, step)
        if found is None:
            return "none: the model's logits are not finite"
        return "  ".join(one_line(text) for text in keep_samples(self.run, step, found))


def uniform(run: Run, first: FirstLoss) -> str:
    """Return the loss of a uniform guess as a formula: per character, and per token if that is another."""
    V = run.vocabulary.size
    if run.config.tokens == CHARACTERS:
        return f"ln {V} = {first.expected:.4f} nats"
    return f"ln {V} = {math.log(V):.4f} nats per token, {first.expected:.4f} per character"


def show_result(result: dict[str, Any], out: Console) -> None:
    """Print the losses of a trained model."""
    rows = table("model", "parameters", "context", "train", "dev", "test", "seconds", text=("model",))
    nats = (f"{result[f'{part}_nats']:.4f}" for part in ("train", "dev", "test"))
    rows.add_row(
        result["model"], f"{result['parameters']:,}", str(result["context"]), *nats, f"{result['seconds']:.1f}"
    )
    out.print(rows)


def show_samples(run: Run, count: int, out: Console) -> None:
    """Print and save new items, or one piece of text of a model of running text.

    Args:
        run: a run whose model is trained.
        count: how many items.
        out: the console.
    """
    rng = np.random.default_rng([run.config.seed, _SAMPLES])
    model, vocabulary = run.model, run.vocabulary
    if not run.ends:
        config = SampleConfig(max_length=run.sample_length)
        (stream,) = sample_batch(model, vocabulary, 1, config=config, rng=rng, ends=False)
        run.store.save_samples(stream.text + "\n")
        out.print("\n" + visible(stream.text), soft_wrap=True)
        return
    known = run.training_hashes()
    config = SampleConfig(max_length=run.sample_length, labels=run.labels)
    try:
        found = sample_items(model, vocabulary, count, config=config, rng=rng, novel_to=known, unique=True)
    except NotEnoughError as error:
        found = error.found
        out.print(f"\nOnly {len(found)} of {count} samples: all other draws of {error.draws:,} were known or repeated.")
    except DomainError as error:  # counts without smoothing may have no next character; the run is valid all the same
        out.print(f"\nNo samples: {error}", soft_wrap=True)
        return
    texts = [run.composed(marked(sample, ends=True)) for sample in found]
    run.store.save_samples(separated(texts))
    if not texts:
        return
    out.print(f"\n{len(texts)} samples, none of them in the training data:\n")
    if any("\n" in text for text in texts):
        out.print(visible(separated(texts)), soft_wrap=True, end="")
        return
    for line in _columns(texts, out.width):
        out.print(line)


def _columns(texts: list[str], width: int) -> list[str]:
    """Return lines of texts side by side, up to five or as many as fit."""
    shown = [one_line(text) for text in texts]
    cell = max(map(cell_len, shown)) + 2
    across = max(1, min(5, (width - 2) // cell))
    return [
        "  " + "".join(text + " " * (cell - cell_len(text)) for text in shown[i : i + across]).rstrip()
        for i in range(0, len(shown), across)
    ]


def _figure(nats: float, digits: int) -> str:
    """Return a loss that fits its column, in scientific notation from 100 nats on."""
    return f"{nats:.{digits}f}" if nats < 100 else f"{nats:.{digits - 3}e}"
