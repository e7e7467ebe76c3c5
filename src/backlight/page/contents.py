"""What the page of a model has inside: the arrays of the model, its tokens, and facts about it."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backlight.core import Array, DomainError, ExportError
from backlight.model import Model
from backlight.models import GPT, MODELS, LanguageModel, Mixture, NGram
from backlight.models.spec import settings_of
from backlight.sample import SampleConfig, sample_batch, score_items
from backlight.text import Vocabulary
from backlight.text.labels import split
from backlight.text.tokenizers import TextVocabulary
from backlight.text.tokenizers.pattern import PATTERNS, PatternVocabulary
from backlight.training.weights import folded, network_of

MOST_BYTES: Final = 8_000_000
"""Bytes of a model's arrays. A larger one would make a page that opens and answers slowly."""

BOUND: Final = 1e-5
"""The page tells its reader if it computes nats that differ by more, relative to them if they are above 1."""

_NETWORKS: Final = ("bigram", "mlp", "wavenet", "rnn", "gru", "lstm", "gpt")
_SAMPLES: Final = 12
_CHECKED: Final = 3
_LONGEST: Final = 200
_PYTHONS_SPACE: Final = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


@dataclass(frozen=True)
class Contents:
    """A model as a page has it.

    Attributes:
        facts: values for JSON, which `scripts/page.js` reads.
        arrays: the bytes of all arrays.
    """

    facts: dict[str, Any]
    arrays: bytes

    @classmethod
    def of(cls, model: Model) -> "Contents":
        """Return the contents of the page of a model.

        Raises:
            ExportError: the page has no engine for the model or its tokens, or the model is too large.
            DomainError: a number of the model is not finite.
        """
        run = model.run
        mixed = isinstance(run.model, Mixture)
        name = run.config.model.removesuffix("+ngram")
        if name not in _NETWORKS and not isinstance(run.model, NGram):
            raise ExportError(
                f"a page runs {', '.join(MODELS)} and their mixtures with the n-gram; this model is {name}. "
                "Export it: backlight export RUN --to onnx."
            )
        evaluated = folded(run.model)
        listed, data = _packed(_arrays(evaluated))
        ends, network = run.ends, network_of(evaluated)
        how = SampleConfig(max_length=min(run.sample_length, _LONGEST))
        drawn = sample_batch(evaluated, run.vocabulary, _CHECKED, config=how, rng=np.random.default_rng(1), ends=ends)
        texts = [one.text for one in drawn]
        facts = {
            "network": name if network is not None else None,
            "mixed": mixed,
            "settings": settings_of(run.model.config) | ({"eps": network.norm.eps} if isinstance(network, GPT) else {}),
            "context": run.model.context,
            "sequences": run.model.reads == "sequences",
            "ends": ends,
            "tokens": _tokens(model),
            "length": run.sample_length,
            "samples": _SAMPLES if ends else 1,
            "bound": BOUND,
            "check": _checked(evaluated, run.vocabulary, texts, ends=ends),
            "first": split(texts[0], run.config.reading.labels)[1],
            "arrays": listed,
        }
        return cls(facts, data)


def _arrays(model: LanguageModel) -> dict[str, Array]:
    """Return the arrays of a model in evaluation mode by name."""
    if isinstance(model, NGram):
        return model.tables()
    network = network_of(model)
    assert network is not None  # noqa: S101  (`Contents.of` has refused all others)
    counts = model.tables() if isinstance(model, Mixture) else {}
    return {**network.state_dict(), **counts}


def _packed(arrays: dict[str, Array]) -> tuple[list[dict[str, Any]], bytes]:
    """Return where each array is, and all of them, each at a multiple of 8 bytes."""
    listed, data = [], bytearray()
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise DomainError(
                f"the numbers of a model must be finite; {name} has others. Its training has diverged: train again with"
                " a lower learning rate."
            )
        kept = array.astype(_kind(name, array))
        data += bytes(-len(data) % 8)
        listed.append({"name": name, "type": kept.dtype.name, "shape": list(kept.shape), "at": len(data)})
        data += kept.astype(kept.dtype.newbyteorder("<")).tobytes()
        if len(data) > MOST_BYTES:
            whole = sum(one.size * _kind(of, one).itemsize for of, one in arrays.items())
            raise ExportError(
                f"a model in a page may have {MOST_BYTES / 1e6:.0f} MB; this one has {whole / 1e6:.1f} MB. Train a "
                "smaller one, or export it: backlight export RUN --to onnx."
            )
    return listed, bytes(data)


def _kind(name: str, array: Array) -> np.dtype[Any]:
    if array.dtype.kind == "f":
        return np.dtype(np.float64 if name == "weights" else np.float32)
    return np.min_scalar_type(int(array.max(initial=0)))


def _tokens(model: Model) -> dict[str, Any]:
    """Return what the page knows of the vocabulary.

    Raises:
        ExportError: the page cannot encode texts as this vocabulary does.
    """
    vocabulary, reading = model.vocabulary, model.run.config.reading
    pattern = vocabulary.pattern if isinstance(vocabulary, PatternVocabulary) else None
    if not isinstance(vocabulary, Vocabulary) and pattern not in PATTERNS:
        raise ExportError(
            f"a page encodes characters, {' and '.join(PATTERNS)}; this model has other tokens. Train it on one of "
            "these: --tokens characters."
        )
    ids = range(vocabulary.size)
    return {
        "pattern": None if pattern is None else PATTERNS[pattern].replace(r"\s", _PYTHONS_SPACE),
        "spellings": [vocabulary.spelling(one).decode() for one in ids],
        "shown": [vocabulary.label(one) for one in ids],
        "marks": list(reading.labels) if reading.labels else None,
        "form": reading.normalise or "none",
    }


def _checked(model: LanguageModel, vocabulary: TextVocabulary, texts: list[str], *, ends: bool) -> list[dict[str, Any]]:
    """Return ids of texts and the nats of each target, which the page computes again when it is opened."""
    return [
        {"ids": vocabulary.encode(one.text).tolist(), "nats": [nats for _, nats in one.per_character]}
        for one in score_items(model, vocabulary, texts, ends=ends)
    ]
