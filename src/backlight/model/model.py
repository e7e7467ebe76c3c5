"""`Model`: a trained model, which samples, scores and shows its layers; and `load`, which opens one."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backlight.autograd import Tensor, no_grad
from backlight.core import Array, ConfigError, DataError, DomainError, FloatArray
from backlight.core.settings import check_whole
from backlight.export import Exported
from backlight.export import export as export_run
from backlight.model.labelled import after_label, with_label
from backlight.model.shown import as_html, in_a_line
from backlight.models import GPT, LanguageModel
from backlight.models.neural import NeuralModel
from backlight.nn import Module
from backlight.nn.compact import Weights, check_weights, compact
from backlight.pretrained import is_pretrained, read_pretrained
from backlight.runs import RunDirectory, find_run
from backlight.runs.store import RESULT, WEIGHTS
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
from backlight.text import Corpus, load_corpus, normalised
from backlight.text.labels import split
from backlight.text.tokenizers import TextVocabulary
from backlight.training import (
    Run,
)
from backlight.training.weights import folded, without_counts


def load(path: str | Path, *, weights: Weights = "float32") -> "Model":
    """Load the model of a run.

    Args:
        path: the folder of the run, made by `Model.save`, by `train` or by a command; or its name in `runs`; or a
            Hugging Face folder of a GPT-2, with `config.json`, safetensors files and a tokenizer.
        weights: the type in which a `gpt` keeps its weights: "float32"; or "bfloat16", "float16" or "int8", which take
            less memory and generate faster, with other rounding (`docs/elsewhere.md` has the loss). Such a model
            samples and scores, and cannot be trained, saved or exported.

    Raises:
        ConfigError: another type, or one of 8 or 16 bits for another model than a `gpt`.
        RunError: there is no run, it is damaged, or it has no weights yet.
        DataError: the folder is of another architecture, incomplete, or damaged.
    """
    check_weights(weights)
    return Model(read_pretrained(path) if is_pretrained(path) else Run.open(find_run(path)), weights)


class Model:
    """A trained model with its vocabulary, as `train` and `load` return it.

    Args:
        run: the run of the model, whose best weights are loaded.
        weights: the type in which they are kept: see `load`.

    Attributes:
        run: the run of the model.
        weights: the type in which its weights are kept.
    """

    def __init__(self, run: Run, weights: Weights = "float32") -> None:
        self.run = run
        self.weights = weights
        self._facts = run.load_weights()
        if weights != "float32":
            if not isinstance(run.network, GPT):
                raise ConfigError(
                    f"weights can be kept in 8 or 16 bits by a gpt; this model is a {run.config.model}. Leave weights "
                    "out."
                )
            compact(run.network, weights)

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
            config = replace(after_label(config, self.run.mark(label)), labels=self.run.labels)
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
        return found if labels is None else [with_label(one, labels) for one in found]

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
            ConfigError: the weights are kept in 8 or 16 bits.
        """
        self.check_float32("saved")
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
        self.check_float32("exported")
        with self._modes_kept():
            return export_run(self.run, path, to=to, numbers=numbers)

    @contextmanager
    def _evaluating(self) -> Iterator[LanguageModel]:
        """Yield the model in evaluation mode with batch norms folded, and restore the training modes afterwards."""
        with self._modes_kept():
            if self.run.network is None:
                yield self.run.model
            else:
                self.run.network.eval()
                yield folded(self.run.model)

    @contextmanager
    def _modes_kept(self) -> Iterator[None]:
        """Restore the training modes of the network's modules afterwards."""
        network = self.run.network
        modes = [] if network is None else [(module, module.training) for _, module in network.named_modules()]
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training

    def check_float32(self, what: str) -> None:
        """Raise ConfigError if the weights are kept in another type. `what` cannot be done then: "saved", ..."""
        if self.weights != "float32":
            raise ConfigError(
                f"a model with weights in {self.weights} cannot be {what}: they are rounded. Load it without weights."
            )

    def _normal(self, text: Any) -> Any:
        """Return a string in the run's Unicode form; anything else as it is, for the check that follows."""
        return normalised(text, self.run.config.reading.normalise) if isinstance(text, str) else text

    def __repr__(self) -> str:
        return in_a_line(self.run, self.weights)

    def _repr_html_(self) -> str:
        try:
            samples = self.sample(5, max_length=40, seed=1)
        except DomainError:  # an n-gram model without smoothing
            samples = []
        return as_html(self.run, samples)


def _strings(texts: Any) -> list[Any]:
    if not isinstance(texts, Iterable):
        raise DataError(f"texts must be a list of strings, or a Path; got {type(texts).__name__}. Use a list.")
    return list(texts)


def _string(text: Any) -> str:
    if not isinstance(text, str):
        raise DataError(f"text must be a string; got {type(text).__name__}. Pass one string.")
    return text
