"""`train`: a model from a text, or from another model."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from rich.console import Console

from backlight.core import ConfigError, DataError
from backlight.model.model import Model
from backlight.progress import ProgressBar
from backlight.text import CORPORA, Corpus, Mode, Reading, Source, load_corpus
from backlight.text.token_files.names import are_token_files
from backlight.training import (
    EngineConfig,
    Evaluation,
    Progress,
    Run,
    RunConfig,
    Trainer,
    branched,
    choose,
    continued,
    stopped_by,
)
from backlight.training.choosing import AUTO, NOT_CHOSEN, named_or_default
from backlight.training.group import process_count


@runtime_checkable
class Shows(Protocol):
    """Shows a training from its first step on, such as the viewer of `backlight.view()`."""

    def showing(self, run: Run) -> AbstractContextManager[None]:
        """Show a run while the block trains it."""


def train(
    data: Source | Corpus | None = None,
    model: str | None = None,
    *,
    start: Model | None = None,
    at_step: int | None = None,
    run: str | Path | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int = 1,
    mode: Mode | None = None,
    engine: Literal["native", "graph", "torch"] = "native",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    micro_batch_size: int | None = None,
    progress: bool | Callable[[Progress], None] | Shows | None = True,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    **options: Any,
) -> Model:
    """Train a model, and return it with the weights of its best evaluation on held-out text.

    A tenth of the items is held out to select the best weights (dev), and another tenth for the final report (test).

    Ctrl-C: at a prompt or in a notebook, training stops and the best model so far is returned. In a script,
    KeyboardInterrupt is raised; with `run`, everything is saved first, and `backlight train --resume` resumes.

    Args:
        data: a list or other iterable of strings; the path of a file or folder, or a list of `Path`; or the name of a
            corpus, such as "names". To train on one text, put it in a list and set `mode`. None is the text of `start`.
        model: "bigram", "ngram", "mlp", "wavenet", "rnn", "gru", "lstm" or "gpt"; a network mixed with the n-gram, as
            in "gru+ngram"; or "auto", which compares some of them on held-out items and chooses sizes and steps. None
            is "auto"; but "mlp" if sizes or settings of training are given, if the text is token files, or if the
            engine is "torch".
        start: a model to go on from, on the same text or on another one. The new model has its sizes and training
            settings, unless `options` change these, and its vocabulary with the characters that the text adds.
        at_step: continue the training of `start` from its checkpoint of this step, as a branch with the same seed: with
            the same settings it computes the same bits. `keep_checkpoints=10` lets a run keep some.
        run: the folder of the run, which every command of `backlight` can use; None keeps it in memory.
        steps: number of training steps; None takes the model's default.
        minutes: the time for the trials and the training of "auto", by the clock; None is about 1, estimated from the
            number of operations, so that the result is the same on every machine.
        seed: random seed of the initial weights and the minibatches.
        mode: "items" (one item per line) or "text" (one stream); None for the default of the corpus.
        engine: what computes the training: "native", compiled kernels; "graph", the graph of tensors; or "torch".
        device: the device of the engine "torch"; "auto" takes a GPU if there is one.
        micro_batch_size: the engine "torch" computes at most this many examples at a time, and adds up their gradients;
            None computes a minibatch at once.
        progress: True shows a progress bar, in a terminal or a notebook; `backlight.view()` the viewer, in a notebook;
            None or False shows nothing; a function is called with a `Progress` a few times a second.
        on_evaluation: called with an `Evaluation` after each evaluation on the dev split.
        options: sizes of the model and training settings, by their names on the command line with underscores:
            `hidden=(200,)`, `lr=0.01`, `eval_interval=100`, `split_seed=7`; and how a file is read into items,
            `format="csv"`, `column="name"`, `field="title"`, `delimiter="<|endoftext|>"`, `normalise="nfc"`, and into
            `tokens="words"`. See `backlight train --help`.

    Raises:
        ConfigError: an unknown option, or one out of range.
        DataError: the text cannot be read, or is too short to be split.
        DivergenceError: the loss became infinite or nan.
        RunError: the folder exists already, or cannot be written.
        KeyboardInterrupt: Ctrl-C in a script.
    """
    given = {**options, **({} if steps is None else {"steps": steps})}
    how = {one.name: given.pop(one.name) for one in fields(Reading) if one.name in given}
    tokens = _has_tokens(data)
    kind = named_or_default(model, _chosen_otherwise(given), token_files=tokens, engine=engine)
    _check_possible(kind if start is None else model, minutes, engine)
    computed = EngineConfig(engine=engine, device=device, micro_batch_size=micro_batch_size)
    if at_step is not None:
        made = _branch(
            start, at_step, run, {**given, **({} if model is None else {"model": model}), **how}, data, computed
        )
    elif start is not None:
        made = _gone_on(start, data, model, run, {**given, "seed": seed}, how, mode, computed)
    elif data is None:
        raise ConfigError("train needs a text, or a model to go on from; got neither. Pass data or start.")
    elif kind != AUTO and tokens:
        config = RunConfig.of(str(data), model=kind, seed=seed, mode=mode, **given, **how)
        made = Run.create(config, run, engine=computed)
    else:
        corpus = load_corpus(_known(data), mode=mode, reading=Reading(**how))
        if kind == AUTO:
            config = _chosen(corpus, minutes, progress, {**given, "seed": seed, "mode": mode})
        else:
            config = RunConfig.of(corpus.name, model=kind, seed=seed, mode=mode, **given)
        made = Run.create(config, run, corpus=corpus, engine=computed)
    if not _finished(made, progress, on_evaluation) and not (hasattr(sys, "ps1") and made.store.has_weights):
        place = made.store.name
        kept = f"Everything is saved: backlight train --resume {place}" if run is not None else "Nothing was saved."
        raise KeyboardInterrupt(f"training was stopped. {kept}")
    for part in ("data", "splits"):  # cached; they are built again if needed
        vars(made).pop(part, None)
    return Model(made)


def _check_possible(model: str | None, minutes: float | None, engine: str) -> None:
    """Raise ConfigError for minutes without "auto", and in a group of processes."""
    if minutes is not None and model != AUTO:
        raise ConfigError('minutes is for model "auto". Leave it out, or set steps.')
    if engine == "torch" and process_count() > 1:
        raise ConfigError(
            "train computes in one process; got a group of several. Start the command: torchrun -m backlight train."
        )


def _chosen(
    corpus: Corpus,
    minutes: float | None,
    progress: bool | Callable[[Progress], None] | Shows | None,
    given: dict[str, Any],
) -> RunConfig:
    """Return the configuration that `choose` takes for a text, and say why if progress is shown."""
    more = sorted(_chosen_otherwise(given) - NOT_CHOSEN)
    if more:
        raise ConfigError(
            f'model "auto" chooses the sizes and the settings of training; got {", ".join(more)}. Leave them out, or '
            "name a model."
        )
    say = _console(progress).print
    of_steps = {name: given.pop(name) for name in ("watch_every", "line", "keep_checkpoints") if name in given}
    threads = given.pop("threads", None)
    base = RunConfig.of(corpus.name, model="ngram", **given)
    choice = choose(base, corpus, minutes=minutes, threads=threads, say=say)
    for line in choice.lines:
        say(line, soft_wrap=True)
    return replace(choice.config, **of_steps)


def _chosen_otherwise(given: Mapping[str, Any]) -> set[str]:
    """Return the names of sizes and settings of training, which "auto" chooses, among the options."""
    return given.keys() - {field.name for field in fields(RunConfig)}


def _branch(
    start: Model | None,
    step: int,
    run: str | Path | None,
    options: dict[str, Any],
    data: Source | Corpus | None,
    engine: EngineConfig,
) -> Run:
    """Return a new run that goes on from a step of a model's training."""
    if not isinstance(start, Model):
        raise ConfigError("at_step is a step of another run; start must be its Model. Load it: backlight.load(RUN).")
    if data is not None:
        raise ConfigError("a branch goes on with the text of its parent; got data. Leave it out, or leave out at_step.")
    return branched(start.run, run, step=step, options=options, engine=engine)


def _gone_on(
    start: Model,
    data: Source | Corpus | None,
    model: str | None,
    run: str | Path | None,
    options: dict[str, Any],
    how: dict[str, Any],
    mode: Mode | None,
    engine: EngineConfig,
) -> Run:
    """Return a new run with the weights of a model."""
    if not isinstance(start, Model):
        raise ConfigError(f"start must be a Model; got {type(start).__name__}. Load it: backlight.load(RUN).")
    start.check_float32("trained")
    origin = start.run
    corpus: Corpus | None = None
    new_text: dict[str, Any] | None = None
    if data is None:
        corpus = None if origin.config.token_counts is not None else origin.corpus
    elif _has_tokens(data):
        new_text = {"corpus": str(data), "also": None, "mode": "text"}
    else:
        own = origin.config.reading
        kept = {"normalise": own.normalise, "labels": own.labels if "label" in how else None, **how}
        corpus = load_corpus(_known(data), mode=mode or ("items" if origin.ends else "text"), reading=Reading(**kept))
        new_text = {"corpus": corpus.name, "also": corpus.also or None, "mode": corpus.mode}
    changes = {**options, **how, **({} if model is None else {"model": model})}
    config = continued(origin.config, origin.store.name, new_text=new_text, options=changes)
    return Run.create(config, run, corpus=corpus, start=origin, engine=engine)


def _finished(
    run: Run,
    progress: bool | Callable[[Progress], None] | Shows | None,
    on_evaluation: Callable[[Evaluation], None] | None,
) -> bool:
    """Train and show the progress. Returns True, or False after Ctrl-C."""
    console = _console(progress)
    for warning in [*run.notes, *run.warnings] if progress is True else []:
        console.print(warning, soft_wrap=True)
    steps = run.config.train.steps if run.config.train is not None else 1
    shown = progress.showing(run) if isinstance(progress, Shows) else nullcontext()
    with shown, ProgressBar(console, steps=steps) if progress is True else nullcontext() as bar, ExitStack() as stack:

        def setup(trainer: Trainer) -> None:
            stack.enter_context(stopped_by(trainer, signal.SIGINT))
            report = progress if bar is None else bar.update
            if callable(report):
                trainer.on_progress = report
            if on_evaluation is not None:
                trainer.on_evaluation = on_evaluation

        finished = run.train(setup) if bar is None else run.train(setup, on_count=bar.counted)
    if not finished and hasattr(sys, "ps1"):
        console.print("Training was stopped: the model has the weights of the best evaluation so far.", soft_wrap=True)
    return finished


def _console(progress: Any) -> Console:
    """Return the console for what is shown with `progress=True`; otherwise it prints nothing."""
    return Console(stderr=True, highlight=False, markup=False, quiet=progress is not True)


def _has_tokens(data: Any) -> bool:
    """Return whether `data` is the path of token files."""
    return isinstance(data, str | Path) and data not in CORPORA and are_token_files(data)


def _known(data: Source | Corpus) -> Source | Corpus:
    """Return `data`. Raises DataError for a string that is neither a corpus nor a file."""
    if not isinstance(data, str) or data in CORPORA or data == "-" or os.path.lexists(data):
        return data
    near = get_close_matches(data[:60], CORPORA, n=1)
    raise DataError(
        f"data must be a path, the name of a corpus ({', '.join(CORPORA)}) or a list of strings; there is no file "
        f"{data[:40]!r}. {f'Did you mean {near[0]}? ' if near else ''}To train on a text, put it in a list: "
        '[text], with mode="text" if it is one stream.'
    )
