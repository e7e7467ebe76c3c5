"""What `backlight train` does once the run is made: learn in sight, stop when asked, show what came of it."""

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer
from rich.console import Console

from backlight.cli.live import Live
from backlight.cli.output import called, command, console, one_line, print_json, source, table
from backlight.cli.show_new import show_new
from backlight.training import Session, Trainer

_STOPPED = 130


def run(session: Session, *, samples: int, json_output: bool) -> None:
    """Train a session's run to its end, print its verdict and that many new items.

    Raises:
        typer.Exit: with 130, if training was stopped; what is there so far is saved.
    """
    out = console(json_output=json_output)
    path = session.run.path
    try:
        with session.run.lock():
            out.print(_heading(session))
            for remark in session.remarks:
                out.print(one_line(remark))
            result = _learn(session, out)
            out.print(_verdict(result))
            if samples:
                show_new(session, samples, out)
    except KeyboardInterrupt:
        out.print(f"\nStopped; {path} has all but the last moments. Go on with:\n  {_resume(path)}", soft_wrap=True)
        _leave_stopped()
    out.print(f"\nThe run is in {one_line(str(path))}. More:  {command('sample', called(path))}", soft_wrap=True)
    if json_output:
        print_json(result)


def _learn(session: Session, out: Console) -> dict[str, Any]:
    """Count or train, and return the verdict; raises typer.Exit if training was stopped."""
    if session.plan.recipe is None:
        V = session.vocabulary.size
        out.print(f"know-nothing loss ln {V} = {math.log(V):.4f} nats per character")
        return session.result(steps=0, seconds=session.count())
    trainer = session.trainer()
    if trainer.finished:
        out.print(f"Nothing is left to train: all {trainer.step:,} steps are done. For more, start a new run.")
    elif not _train(session, trainer, Live(out, trainer, session)):
        _leave_stopped()
    result = session.result(steps=trainer.step, seconds=trainer.seconds)
    if trainer.best_step == 0:
        out.print("No evaluation was better than before the first step. Try a smaller --lr, or more --steps.")
    return result


@contextmanager
def _stopping(trainer: Trainer) -> Iterator[None]:
    """Let Ctrl-C (and a polite kill) end the loop after its step; a second one ends it at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        trainer.request_stop()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _train(session: Session, trainer: Trainer, live: Live) -> bool:
    with _stopping(trainer), live:
        finished = trainer.fit()
    if not finished:
        live.out.print(
            f"\nStopped at step {trainer.step:,}; everything is saved. Go on with:\n  {_resume(session.run.path)}",
            soft_wrap=True,
        )
    return finished


def _leave_stopped() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more Ctrl-C cannot make it any quicker
    raise typer.Exit(_STOPPED)


def _resume(path: Path) -> str:
    return command("train", "--resume", path)


def _heading(session: Session) -> str:
    plan, corpus = session.plan, session.corpus
    size = f"{len(corpus.items):,} items" if session.ends else f"{corpus.characters:,} characters"
    return f"{plan.model} on {source(corpus.name)}: {size}, vocabulary {session.vocabulary.size}"


def _verdict(result: dict[str, Any]) -> Any:
    rows = table("model", "parameters", "context", "train", "dev", "test", "seconds", text=("model",))
    nats = (f"{result[f'{part}_nats']:.4f}" for part in ("train", "dev", "test"))
    rows.add_row(
        result["model"], f"{result['parameters']:,}", str(result["context"]), *nats, f"{result['seconds']:.1f}"
    )
    return rows
