"""The main interface from Python: `train` a model, `load` one, and use it.

Train on a list of strings, on a file, or on a named corpus. Without `run`, everything is kept in memory:

>>> import backlight
>>> names = ["emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "abigail"]
>>> model = backlight.train(names, steps=20, progress=None)
>>> model = backlight.train("names.txt", model="gru", steps=20, progress=None)
>>> model = backlight.train("names", model="ngram", run="runs/mine")

Load a model and sample new items, or only items that are not in the training data:

>>> backlight.load("runs/mine").sample(3, prefix="ma", seed=1)
['mapru', 'maycen', 'maeleigh']
>>> model.sample(3, temperature=0.5, novel=True, seed=1)
['naveer', 'adaliana', 'valee']

Score strings, or the lines of a file, in nats; unusual ones have a higher negative log-likelihood:

>>> model.score(["emma", "xzqwv"]).round(1)
array([ 8.6, 27.4])
>>> from pathlib import Path
>>> model.score(Path("names.txt")).shape
(23,)
>>> model.log_probs("ava").round(2)  # of a, v, a and the end
array([-1.98, -2.95, -1.37, -2.97])

Get the output of each layer of a network for a text:

>>> net = backlight.train("names.txt", steps=20, progress=None)
>>> net.activations("emm")["embedding"].shape
(1, 6, 32)

Save a model to a run folder, which every command of `backlight` can use:

>>> net.save("runs/other")
>>> backlight.load("runs/other").result["steps"]
20

Train a layer in a loop of your own:

>>> import numpy as np
>>> layer = backlight.nn.Linear(2, 1, rng=np.random.default_rng(0))
>>> loss = (layer(backlight.Tensor([[1.0, 2.0]])) ** 2).sum()
>>> loss.backward()
>>> backlight.optim.SGD(layer.parameters(), 0.1).step()
"""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import fields, replace
from difflib import get_close_matches
from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console

from backlight.autograd import Tensor, no_grad
from backlight.core import Array, ConfigError, DataError, DomainError, FloatArray
from backlight.core.settings import check_whole
from backlight.export import Exported
from backlight.export import export as export_run
from backlight.models import LanguageModel
from backlight.models.neural import NeuralModel
from backlight.nn import Module
from backlight.pretrained import is_pretrained, read_pretrained
from backlight.progress import ProgressBar
from backlight.runs import RunDirectory, find_run
from backlight.runs.store import PRETRAINED, RESULT, WEIGHTS
from backlight.runs.strict_json import to_bytes
from backlight.runs.tensors import encode
from backlight.sample import (
    Avoids,
    Distant,
    Sample,
    SampleCheck,
    SampleConfig,
    Score,
    Valid,
    ValidByCommand,
    WithoutLabels,
    context_ids,
    sample_items,
    score_items,
)
from backlight.text import CORPORA, Corpus, Mode, Reading, Source, load_corpus, normalised
from backlight.text.labels import spelled, split
from backlight.text.tokenizers import TextVocabulary
from backlight.training import (
    EngineConfig,
    Evaluation,
    Progress,
    Run,
    RunConfig,
    Trainer,
    choose,
    continued,
    stopped_by,
)
from backlight.training.weights import folded, without_counts


def train(
    data: Source | Corpus | None = None,
    model: str | None = None,
    *,
    start: "Model | None" = None,
    run: str | Path | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int = 1,
    mode: Mode | None = None,
    engine: Literal["native", "graph", "torch"] = "native",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    micro_batch_size: int | None = None,
    progress: bool | Callable[[Progress], None] | None = True,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    **options: Any,
) -> "Model":
    """Train a model, and return it with the weights of its best evaluation on held-out text.

    A tenth of the items is held out to select the best weights (dev), and another tenth for the final report (test).

    Ctrl-C: at a prompt or in a notebook, training stops and the best model so far is returned. In a script,
    KeyboardInterrupt is raised; with `run`, everything is saved first, and `backlight train --resume` resumes.

    Args:
        data: a list or other iterable of strings; the path of a file or folder, or a list of `Path`; or the name of a
            corpus, such as "names". To train on one text, put it in a list and set `mode`. None is the text of `start`.
        model: "bigram", "ngram", "mlp" (the default), "wavenet", "rnn", "gru", "lstm" or "gpt"; a network mixed with
            the n-gram, as in "gru+ngram"; or "auto", which compares some of them on held-out items and chooses sizes
            and steps.
        start: a model to go on from, on the same text or on another one. The new model has its sizes and training
            settings, unless `options` change these, and its vocabulary with the characters that the text adds.
        run: the folder of the run, which every command of `backlight` can use; None keeps it in memory.
        steps: number of training steps; None takes the model's default.
        minutes: the time for "auto", as estimated; None is 1.
        seed: random seed of the initial weights and the minibatches.
        mode: "items" (one item per line) or "text" (one stream); None for the default of the corpus.
        engine: what computes the training: "native", compiled kernels; "graph", the graph of tensors; or "torch".
        device: the device of the engine "torch"; "auto" takes a GPU if there is one.
        micro_batch_size: the engine "torch" computes at most this many examples at a time, and adds up their gradients;
            None computes a minibatch at once.
        progress: True shows a progress bar, in a terminal or a notebook; None or False shows nothing; a function is
            called with a `Progress` a few times a second.
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
    if minutes is not None and model != "auto":
        raise ConfigError('minutes is for model "auto". Leave it out, or set steps.')
    if engine == "torch" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "train computes in one process; got a group of several. Start the command: torchrun -m backlight train."
        )
    computed = EngineConfig(engine=engine, device=device, micro_batch_size=micro_batch_size)
    if start is not None:
        made = _gone_on(start, data, model, run, {**given, "seed": seed}, how, mode, computed)
    elif data is None:
        raise ConfigError("train needs a text, or a model to go on from; got neither. Pass data or start.")
    else:
        corpus = load_corpus(_known(data), mode=mode, reading=Reading(**how))
        if model == "auto":
            config = _chosen(corpus, minutes, progress, {**given, "seed": seed, "mode": mode})
        else:
            config = RunConfig.of(corpus.name, model=model or "mlp", seed=seed, mode=mode, **given)
        made = Run.create(config, run, corpus=corpus, engine=computed)
    if not _finished(made, progress, on_evaluation) and not (hasattr(sys, "ps1") and made.store.has_weights):
        place = made.store.name
        kept = f"Everything is saved: backlight train --resume {place}" if run is not None else "Nothing was saved."
        raise KeyboardInterrupt(f"training was stopped. {kept}")
    for part in ("data", "splits"):  # cached; they are built again if needed
        vars(made).pop(part, None)
    return Model(made)


def _chosen(
    corpus: Corpus,
    minutes: float | None,
    progress: bool | Callable[[Progress], None] | None,
    given: dict[str, Any],
) -> RunConfig:
    """Return the configuration that `choose` takes for a text, and say why if progress is shown."""
    more = sorted(given.keys() - {field.name for field in fields(RunConfig)})
    if more:
        raise ConfigError(
            f'model "auto" chooses the sizes and the settings of training; got {", ".join(more)}. Leave them out, or '
            "name a model."
        )
    say = _console(progress).print
    choice = choose(RunConfig.of(corpus.name, model="ngram", **given), corpus, minutes=minutes, say=say)
    for line in choice.lines:
        say(line, soft_wrap=True)
    return choice.config


def _gone_on(
    start: "Model",
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
    origin = start.run
    if data is None:
        corpus, new_text = origin.corpus, None
    else:
        own = origin.config.reading
        kept = {"normalise": own.normalise, "labels": own.labels if "label" in how else None, **how}
        corpus = load_corpus(_known(data), mode=mode or ("items" if origin.ends else "text"), reading=Reading(**kept))
        new_text = {"corpus": corpus.name, "also": corpus.also or None, "mode": corpus.mode}
    changes = {**options, **how, **({} if model is None else {"model": model})}
    config = continued(origin.config, origin.store.name, new_text=new_text, options=changes)
    return Run.create(config, run, corpus=corpus, start=origin, engine=engine)


def load(path: str | Path) -> "Model":
    """Load the model of a run.

    Args:
        path: the folder of the run, made by `Model.save`, by `train` or by a command; or its name in `runs`; or a
            Hugging Face folder of a GPT-2, with `config.json`, safetensors files and a tokenizer.

    Raises:
        RunError: there is no run, it is damaged, or it has no weights yet.
        DataError: the folder is of another architecture, incomplete, or damaged.
    """
    return Model(read_pretrained(path) if is_pretrained(path) else Run.open(find_run(path)))


class Model:
    """A trained model with its vocabulary, as `train` and `load` return it.

    Args:
        run: the run of the model, whose best weights are loaded.

    Attributes:
        run: the run of the model.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._facts = run.load_weights()

    @property
    def network(self) -> LanguageModel:
        """The network, a `backlight.nn.Module`, also of a mixture; or an `NGram`."""
        return self.run.network or self.run.model

    @property
    def vocabulary(self) -> TextVocabulary:
        """The vocabulary, which maps characters, or other tokens, to ids and back."""
        return self.run.vocabulary

    @property
    def result(self) -> dict[str, Any] | None:
        """The result of the training: "train_nats", "dev_nats", "test_nats", "parameters", "seconds", ...

        None if the training was stopped early.
        """
        return self.run.result

    def sample(
        self,
        count: int = 10,
        *,
        prefix: str = "",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        max_length: int | None = None,
        min_length: int = 0,
        contains: str = "",
        ends_with: str = "",
        template: str = "",
        pattern: str = "",
        avoid: Iterable[str] | Path = (),
        min_distance: int | None = None,
        valid: str | Callable[[str], object] | None = None,
        novel: bool = False,
        unique: bool = False,
        label: str | None = None,
        seed: int | None = None,
    ) -> list[str]:
        """Sample new items, or pieces of text from a model of running text.

        Args:
            count: number of samples, up to a million.
            prefix: the beginning of each sample.
            temperature: below 1 is more conservative, above 1 more diverse, 0 is greedy.
            top_k: sample from the K most likely characters only.
            top_p: sample from the fewest characters whose total probability reaches P.
            max_length: maximum number of characters to draw; None is half as many again as the longest item has, or
                500 for running text. A longer sample is cut off; but with one of the next five, each sample ends
                before.
            min_length: minimum number of characters.
            contains: text that each sample contains.
            ends_with: text that each sample ends with.
            template: the characters of each sample, where `?` stands for any, as in "ma??a".
            pattern: regular expression that each sample matches as a whole.
            avoid: words that no sample contains, in upper or lower case; a `Path` is a file with a word on each line.
            min_distance: 2 leaves out samples that one insertion, deletion or replacement of a character turns into an
                item of the training data.
            valid: a function of a text that returns whether it is valid; or a command that reads items on standard
                input, one per line, and prints the valid ones.
            novel: leave out items in the training data, including its held-out parts.
            unique: leave out duplicates.
            label: the label of all samples, of a model that was trained with labels; None samples labels too, and
                shows each before its text, as in "IT: Milano".
            seed: random seed; None gives different samples each time.

        Raises:
            ConfigError: a setting out of range, an unknown label, or `novel` for running text.
            VocabularyError: a character of the prefix is not in the vocabulary.
            NotEnoughError: too few items that meet all this in 50 times as many draws; its `found` has them.
        """
        config = SampleConfig(
            temperature=temperature, top_k=top_k, top_p=top_p, prefix=prefix,
            max_length=self.run.sample_length if max_length is None else max_length,
            min_length=min_length, contains=self._normal(contains), ends_with=self._normal(ends_with),
            template=template, pattern=pattern,
        )  # fmt: skip
        checks = self.checks(avoid=avoid, min_distance=min_distance, valid=valid)
        found = self.draw(count, config, novel=novel, unique=unique, checks=checks, label=label, seed=seed)
        return [self.run.composed(one.text, label=label) for one in found]

    def checks(
        self,
        *,
        avoid: Iterable[str] | Path = (),
        min_distance: int | None = None,
        valid: str | Callable[[str], object] | None = None,
    ) -> list[SampleCheck]:
        """Return the checks that `sample` makes of its results, for `draw`; see there.

        Raises:
            ConfigError: a setting out of range, or a check of running text.
            DataError: a file cannot be read.
            RunError: the training text, which `min_distance` needs, has changed.
        """
        words = load_corpus(avoid, mode="items").items if isinstance(avoid, Path) else list(avoid)
        made: list[SampleCheck] = [Avoids.of(words)] if words else []
        labels = self.run.config.reading.labels
        if min_distance is not None:
            items = self.run.corpus.items
            made.append(Distant(items if labels is None else [split(one, labels)[1] for one in items], min_distance))
        if valid is not None:
            made.append(ValidByCommand(valid) if isinstance(valid, str) else Valid(valid))
        if made and not self.run.ends:
            raise ConfigError("checks of samples need a model of items; this one was trained on running text.")
        return made if labels is None else [WithoutLabels(one, labels) for one in made]

    def draw(
        self,
        count: int,
        config: SampleConfig,
        *,
        novel: bool = False,
        unique: bool = False,
        checks: Sequence[SampleCheck] = (),
        label: str | None = None,
        seed: int | None = None,
        tally: Counter[str] | None = None,
    ) -> list[Sample]:
        """Sample as in `sample`, and return each `Sample` with the probabilities of its characters.

        Args:
            count: number of samples, up to a million.
            config: how to sample.
            novel: leave out items in the training data, including its held-out parts.
            unique: leave out duplicates.
            checks: what each sample must pass.
            label: the label of all samples; the text of each begins with its character.
            seed: random seed; None gives different samples each time.
            tally: counts the draws, as "drawn", and those left out, by their reason.

        Raises:
            ConfigError, VocabularyError, NotEnoughError: see `sample`.
        """
        if novel and not self.run.ends:
            raise ConfigError("novel needs a model of items; this one was trained on running text. Leave it out.")
        if seed is not None:
            check_whole("seed", seed, at_least=0)
        config = replace(config, prefix=self._normal(config.prefix))
        if self.run.config.reading.labels is not None:
            config = replace(_after_label(config, self.run.mark(label)), labels=self.run.labels)
        else:
            self.run.mark(label)  # raises an error for a label
        with self._evaluating() as model:
            return sample_items(
                model, self.vocabulary, count, config=config, rng=np.random.default_rng(seed),
                novel_to=self.run.training_hashes() if novel else None, unique=unique, checks=checks,
                ends=self.run.ends, tally=tally,
            )  # fmt: skip

    def score(self, texts: str | Iterable[str] | Path | Corpus, *, label: str | None = None) -> FloatArray:
        """Return the negative log-likelihood of each text in nats, including its end for a model of items.

        For a text with a character that is not in the vocabulary, it is infinite.

        Args:
            texts: strings; a single string is one text; a `Path` is a file, whose lines are scored.
            label: the label of all texts, of a model that was trained with labels; that of a table with a column of
                labels is read. Its own nats, -log p(label), are part of the score.

        Shape: (texts,) float64

        Raises:
            DataError: there is no text, or one is not a string.
        """
        return np.array([one.nats for one in self.scores(texts, label=label)])

    def scores(self, texts: str | Iterable[str] | Path | Corpus, *, label: str | None = None) -> list[Score]:
        """Score as in `score`, and return each `Score` with the nats of each character."""
        if isinstance(texts, Path | Corpus):
            items: Any = self.run.read_alike(texts).items
        else:
            items = [self._normal(text) for text in ([texts] if isinstance(texts, str) else _strings(texts))]
        labels = self.run.config.reading.labels
        mark = self.run.mark(label)
        items = [mark + item for item in items] if mark else items
        if labels is not None and items and any(split(item, labels)[0] is None for item in items):
            raise ConfigError(
                "a text must have a label, since the model was trained with labels; got one without. Set label, on the "
                "command line --label, or give a table with their column."
            )
        with self._evaluating() as model:
            found = score_items(model, self.vocabulary, items, ends=self.run.ends)
        return found if labels is None else [_with_label(one, labels) for one in found]

    def log_probs(self, text: str) -> FloatArray:
        """Return log p of each character of a text, or of other tokens, given those before it, in nats.

        The sum is `-score([text])[0]`. For a model of items, the last element is for the end of the item.

        Shape: (characters + 1,) float64 for a model of items, (characters,) for a model of running text

        Raises:
            VocabularyError: a character is not in the vocabulary.
        """
        self.vocabulary.encode(self._normal(_string(text)))
        (score,) = self.scores([text])
        return -np.array([nats for _, nats in score.per_character])

    def activations(self, text: str) -> dict[str, Array]:
        """Return the output of each layer, and the "logits", when the network reads the beginning of an item.

        Names are those of `network.named_modules()`. A network of windows reads the last `context` characters, and the
        outputs have the shape (1, ...). A network of sequences reads a boundary and the text, and the outputs have the
        shape (1, T, ...), where the last position predicts the character after the text. If a layer is called several
        times, its last output is returned.

        Raises:
            ConfigError: the model is an n-gram model, which has no layers.
            VocabularyError: a character is not in the vocabulary.
        """
        network = self.network
        if not isinstance(network, NeuralModel):
            raise ConfigError(f"activations needs a network; {self.run.config.model} has no layers. Train a network.")
        outputs: dict[str, Array] = {}
        x_BT = context_ids(network, self.vocabulary.encode(self._normal(_string(text))))

        def keep(name: str) -> Callable[[Module, tuple[Any, ...], Tensor], None]:
            return lambda _module, _inputs, out: outputs.__setitem__(name, out.array.copy())

        with self._evaluating(), no_grad():
            removers = [
                module.register_forward_hook(keep(name or "logits")) for name, module in network.named_modules()
            ]
            try:
                network(x_BT)
            finally:
                for remove in removers:
                    remove()
        return outputs

    def save(self, path: str | Path) -> None:
        """Write a run folder, which `load` and every command of `backlight` can use.

        The weights are the current ones of the network; everything else is as training left it.

        Raises:
            RunError: `path` exists already, or cannot be written.
        """
        files = self.run.files()
        files[WEIGHTS] = encode(without_counts(self.run.model.state_dict()), self._facts)
        if self.result is not None:
            files[RESULT] = to_bytes({**self.result, "run": str(path)}, indent=2)
        RunDirectory.create(path, files)

    def export(self, path: str | Path | None = None, *, to: str, numbers: str | None = None) -> Exported:
        """Write the model for another program, which must compute the same logits; otherwise nothing is written.

        Args:
            path: the file or folder to make; None takes a name in the current folder.
            to: "hf" for a Hugging Face folder, "onnx", "gguf", or "torch" for a folder that PyTorch alone needs.
            numbers: "f32", or in a GGUF also "f16"; None is "f32".

        Raises:
            ExportError: the format has no form of this model, a package is missing, or the other program computes
                other logits.
            RunError: `path` exists already, or cannot be written.
        """
        modes = [] if self.run.network is None else [(m, m.training) for _, m in self.run.network.named_modules()]
        try:
            return export_run(self.run, path, to=to, numbers=numbers)
        finally:
            for module, training in modes:
                module.training = training

    @contextmanager
    def _evaluating(self) -> Iterator[LanguageModel]:
        """Yield the model in evaluation mode with batch norms folded, and restore the training modes afterwards."""
        network = self.run.network
        if network is None:
            yield self.run.model
            return
        modes = [(module, module.training) for _, module in network.named_modules()]
        network.eval()
        try:
            yield folded(self.run.model)
        finally:
            for module, training in modes:
                module.training = training

    def _normal(self, text: Any) -> Any:
        """Return a string in the run's Unicode form; anything else as it is, for the check that follows."""
        return normalised(text, self.run.config.reading.normalise) if isinstance(text, str) else text

    def __repr__(self) -> str:
        parts = [self.run.config.model, f"{self.run.model.num_parameters():,} parameters", self._learnt()]
        return f"Model({', '.join(parts)})"

    def _learnt(self) -> str:
        result = self.result
        if self.run.config.corpus == PRETRAINED:
            return "trained elsewhere"
        losses = "training was stopped" if result is None else f"dev {result['dev_nats']:.4f} nats per character"
        return f"trained on {self.run.config.source}: {losses}"

    def _repr_html_(self) -> str:
        result = self.result or {}
        rows = {
            "model": self.run.config.spec.summary,
            "parameters": f"{self.run.model.num_parameters():,}",
            "context": f"{self.run.model.context} characters",
            "trained on": f"{self.run.config.source}, {result.get('steps', 0):,} steps",
            "nats per character": ", ".join(
                f"{part} {result[f'{part}_nats']:.4f}"
                for part in ("train", "dev", "test")
                if result.get(f"{part}_nats")
            ),
        }
        with suppress(DomainError):  # raised by an n-gram model without smoothing
            rows["samples"] = ", ".join(self.sample(5, max_length=40, seed=1))
        cells = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in rows.items() if text)
        return f"<table><caption>backlight.Model: {escape(self.run.config.model)}</caption>{cells}</table>"


def _finished(
    run: Run, progress: bool | Callable[[Progress], None] | None, on_evaluation: Callable[[Evaluation], None] | None
) -> bool:
    """Train and show the progress. Returns True, or False after Ctrl-C."""
    console = _console(progress)
    for warning in [*run.notes, *run.warnings] if progress is True else []:
        console.print(warning, soft_wrap=True)
    steps = run.config.train.steps if run.config.train is not None else 1
    with ProgressBar(console, steps=steps) if progress is True else nullcontext() as bar, ExitStack() as stack:

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


def _after_label(config: SampleConfig, mark: str) -> SampleConfig:
    """Return the settings for texts that begin with a label: this one, or any if there is none."""
    return replace(
        config,
        prefix=mark + config.prefix if mark else config.prefix,
        min_length=config.min_length + 1 if config.min_length else 0,
        template=f"{mark or '?'}{config.template}" if config.template else "",
        pattern=f".(?:{config.pattern})" if config.pattern else "",
    )


def _with_label(score: Score, labels: Sequence[str]) -> Score:
    """Return a score with the label in words."""
    label, _ = split(score.text, labels)
    (_, nats), *rest = score.per_character
    return replace(score, text=spelled(score.text, labels), per_character=((label or "", nats), *rest))


def _strings(texts: Any) -> list[Any]:
    if not isinstance(texts, Iterable):
        raise DataError(f"texts must be a list of strings, or a Path; got {type(texts).__name__}. Use a list.")
    return list(texts)


def _string(text: Any) -> str:
    if not isinstance(text, str):
        raise DataError(f"text must be a string; got {type(text).__name__}. Pass one string.")
    return text
