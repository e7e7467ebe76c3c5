"""What a person sees while a network learns: a line for each evaluation, and between them a bar that moves."""

from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from backlight.cli.output import one_line
from backlight.core import DomainError
from backlight.sample import SampleConfig, sample_batch
from backlight.training import Evaluation, FirstLoss, Session, Trainer, bits
from backlight.training import Progress as Where

_SHOWN = 5
_STREAM = 3


class Live:
    """Prints what a Trainer tells.

    With a terminal, a bar shows step, loss, speed and time left. Without one, there are only the lines of evaluations.

    Args:
        out: where to print.
        trainer: who tells; its callbacks are set.
        session: the run, for samples of the model as it stands.
    """

    def __init__(self, out: Console, trainer: Trainer, session: Session) -> None:
        self.out = out
        self.session = session
        self.trainer = trainer
        trainer.on_evaluation = self._evaluated
        trainer.on_progress = self._moved
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[told]}"),
            console=out, transient=True, auto_refresh=False, disable=not out.is_terminal,
        )  # fmt: skip
        self.task = self.bar.add_task("training", total=trainer.recipe.steps, completed=trainer.step, told="")

    def __enter__(self) -> Self:
        if self.trainer.step:
            self._head()
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        self.bar.stop()

    def _head(self) -> None:
        self.out.print(f"{'step':>7}  {'train':>6}  {'dev':>6}  {'bits':>5}   what it says now", style="bold")

    def _rehearse(self, first: FirstLoss) -> None:
        V = self.session.vocabulary.size
        self.out.print(
            f"know-nothing loss ln {V} = {first.expected:.4f} nats per character; "
            f"before training: {_figure(first.measured or 0.0, 4)}"
        )
        if first.warning is not None:
            by = " Leave out --output-scale, or take 0.1." if hasattr(self.session.model.config, "output_scale") else ""
            self.out.print(first.warning + by, style="bold yellow")

    def _evaluated(self, record: Evaluation) -> None:
        if record.step == 0:
            self._rehearse(FirstLoss.of(self.session.vocabulary.size, [record.to_json()]))
            self._head()
        train = "-" if record.train_nats is None else _figure(record.train_nats, 4)
        dev, in_bits = _figure(record.dev_nats, 4), _figure(bits(record.dev_nats), 3)
        line = f"{record.step:>7,}  {train:>6}  {dev:>6}  {in_bits:>5}   {self._said(record.step)}"
        self.out.print(line, no_wrap=True, overflow="crop")

    def _said(self, step: int) -> str:
        session = self.session
        # a stream of its own, so that looking changes nothing
        rng = np.random.default_rng([session.plan.seed, _STREAM, step])
        config = SampleConfig(max_length=16 if session.ends else 48)
        count = _SHOWN if session.ends else 1
        try:
            found = sample_batch(session.model, session.vocabulary, count, config=config, rng=rng, ends=session.ends)
        except DomainError:  # the weights have run away; whether training must end, the loss says, not the samples
            return "nothing: no next character can be drawn"
        return "  ".join(one_line(sample.text) for sample in found if sample.text)

    def _moved(self, where: Where) -> None:
        minutes, seconds = divmod(round(where.seconds_left), 60)
        told = f"loss {where.loss:.3f}  {where.characters_per_second:,.0f} char/s  {minutes}:{seconds:02d} left"
        self.bar.update(self.task, completed=where.step, told=told, refresh=True)


def _figure(nats: float, digits: int) -> str:
    """Return a loss as wide as its column, also one that has run away."""
    return f"{nats:.{digits}f}" if nats < 100 else f"{nats:.{digits - 3}e}"
