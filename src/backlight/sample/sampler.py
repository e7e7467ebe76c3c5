"""Sampling text from a model, one character at a time, as a batch."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from backlight.autograd.ops.softmax import shifted_log_softmax
from backlight.core import BOUNDARY, BoolArray, ConfigError, DomainError, FloatArray, IntArray, VocabularyError
from backlight.core.settings import check_whole, setting
from backlight.models.decoding import Decoder, decode
from backlight.models.protocol import LanguageModel
from backlight.sample._limits import check_fit, texts_at_once
from backlight.sample.beginning import Beginning, spelled
from backlight.sample.filters import Filters, probabilities, rows_without_a_peak
from backlight.sample.shape import ESTIMATED_FROM, Follows, Lookahead, Shape, guide
from backlight.text import Vocabulary
from backlight.text.tokenizers import TextVocabulary

MOST: Final = 1_000_000
"""The maximum number of texts per call; each takes about 500 bytes."""

MOST_CHARACTERS: Final = 1_000_000
"""The maximum number of characters of a text."""


@dataclass(frozen=True, kw_only=True)
class SampleConfig(Filters, Shape):
    """How to sample.

    Args:
        temperature, top_k, top_p: see `Filters`.
        min_length, contains, ends_with, template, pattern: see `Shape`. They need a vocabulary of characters.
        max_length: maximum number of characters, or other tokens, to draw, without the prefix. A longer text is cut
            off; but with a condition on its shape, each text ends before.
        prefix: the beginning of every text.

    Raises:
        ConfigError: a setting out of range.
    """

    max_length: int = setting(
        "Maximum number of characters to draw.", default=64, at_least=1, at_most=MOST_CHARACTERS, remedy="Try 64."
    )
    prefix: str = setting("Text that each sample starts with.", default="")

    @property
    def filters(self) -> bool:
        """Whether the settings change the model's distribution."""
        return self.temperature != 1 or self.top_k is not None or self.top_p is not None


@dataclass(frozen=True, slots=True)
class Sample:
    """A sampled text.

    Attributes:
        text: the prefix and the drawn characters.
        nats: -log p of the drawn characters and the end, given the prefix. p is the model's own probability, at
            temperature 1 and without filters, however the text was drawn.
        ended: whether the end was drawn; False if `max_length` cut the text off.
        probabilities: the model's own probability of each drawn token, and of the end if it was drawn. A token is a
            character, or what the vocabulary has instead; the first may repeat the end of the prefix.
        tokens: the label of each drawn token; empty for a vocabulary of characters.
    """

    text: str
    nats: float
    ended: bool
    probabilities: tuple[float, ...]
    tokens: tuple[str, ...] = ()


def sample_batch(
    model: LanguageModel,
    vocabulary: TextVocabulary,
    count: int,
    *,
    config: SampleConfig,
    rng: np.random.Generator,
    ends: bool = True,
    guided: Lookahead | None = None,
) -> list[Sample]:
    """Sample `count` texts as a batch, one character per step. Texts that have ended leave the batch.

    At most 16,384 texts (4096 for a model of sequences; fewer for a large vocabulary or long sequences) are sampled at
    a time. Each step takes one number of `rng` per text. The result is determined by the model's weights, the
    vocabulary, `count`, `config`, `ends` and the state of `rng`, for the same NumPy, BLAS and number of threads. A
    larger `count` does not start with the texts of a smaller one.

    Args:
        model: any language model.
        vocabulary: the vocabulary that the model was trained with.
        count: number of texts, from 1 to a million.
        config: how to sample.
        rng: the random generator.
        ends: False for a model of running text, which has no end: the boundary is never drawn, and every text has
            `max_length` characters.
        guided: what `guide_of` returned for the same model and `config`, to use it again.

    Raises:
        ConfigError: `count` is out of range, or no text can meet the conditions.
        VocabularyError: a character of the prefix is not in the vocabulary, or the vocabulary has another size.
        DomainError: the model gives no character a probability above 0: it is unsmoothed or has diverged.
    """
    check_fit(model, vocabulary)
    check_whole("count", count, at_least=1, at_most=MOST)
    prefix_ids, rest = _encode_prefix(vocabulary, config.prefix)
    kept = config.prefix.encode("utf-8", "surrogatepass").removesuffix(rest).decode("utf-8", "surrogatepass")
    size = texts_at_once(model)
    if guided is None:
        guided = guide_of(model, vocabulary, config=config, rng=rng, ends=ends)
    samples: list[Sample] = []
    first = context_ids(model, prefix_ids)
    with np.errstate(over="ignore", invalid="ignore"):  # non-finite logits raise an error below
        for begin in range(0, count, size):
            x_BT = np.tile(first, (min(size, count - begin), 1))
            steps = _run(model, vocabulary, x_BT, config, rng, ends, rest=rest, guided=guided)
            samples += _assemble(vocabulary, kept, len(x_BT), steps)
    return samples


def guide_of(
    model: LanguageModel,
    vocabulary: TextVocabulary,
    *,
    config: SampleConfig,
    rng: np.random.Generator,
    ends: bool = True,
) -> Lookahead | None:
    """Return what leads samples to the conditions on their shape, from samples without them; None without conditions.

    Raises:
        VocabularyError, ConfigError: the conditions are not valid, no text can meet them, or the model has no ends.
    """
    if not config.asks:
        return None
    if not ends:
        raise ConfigError(
            "conditions on samples need a model of items; this one was trained on running text. Leave them out."
        )
    if not isinstance(vocabulary, Vocabulary):
        raise ConfigError(
            "conditions on samples need a model of characters; this one has other tokens. Leave them out, or train "
            "with --tokens characters."
        )
    plain = SampleConfig(max_length=config.max_length)
    prefix_ids, _ = _encode_prefix(vocabulary, config.prefix)
    x_BT = np.tile(context_ids(model, prefix_ids), (ESTIMATED_FROM, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        steps = _run(model, vocabulary, x_BT, plain, rng, ends)
    rows, ids = (np.concatenate([getattr(step, name) for step in steps]) for name in ("rows", "ids"))
    follows = Follows.of(ids[np.argsort(rows, kind="stable")], vocabulary.size)
    return guide(config, vocabulary, prefix=config.prefix, most=config.max_length, follows=follows)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The drawn character of each active text: text numbers, ids, and log p under the model. Each (n,)."""

    rows: IntArray
    ids: IntArray
    log_p: FloatArray


@dataclass(frozen=True, slots=True)
class _Chances:
    """The distributions of logits (W, V), transposed so that a sum over V adds long contiguous arrays.

    Attributes:
        log_p: (V, W) log probabilities under the model.
        sums: (V, W) cumulative sums of the probabilities to sample from.
        dead: (W,) whether a row has no character to draw.
    """

    log_p: FloatArray
    sums: FloatArray
    dead: BoolArray

    @classmethod
    def of(cls, logits: FloatArray, config: SampleConfig, *, ends: bool) -> "_Chances":
        logits_WV = np.asfortranarray(logits, np.float64)
        allowed_WV = logits_WV if ends else _without_end(logits_WV)
        dead = np.zeros(len(logits), np.bool_)
        dead[rows_without_a_peak(allowed_WV)] = True
        if dead.any():  # perhaps no text uses these rows; if one does, it raises an error
            logits_WV, allowed_WV = (np.where(dead[:, None], 0.0, array) for array in (logits_WV, allowed_WV))
        log_p_WV = shifted_log_softmax(logits_WV)
        p_WV = _to_draw_from(allowed_WV, config) if config.filters or not ends else np.exp(log_p_WV)
        return cls(log_p_WV.T, _running_sums(p_WV.T), dead)


def _run(
    model: LanguageModel,
    vocabulary: TextVocabulary,
    x_BT: IntArray,
    config: SampleConfig,
    rng: np.random.Generator,
    ends: bool,
    *,
    rest: bytes = b"",
    guided: Lookahead | None = None,
) -> list[_Drawn]:
    """Return the characters drawn at each step, of which the first must spell `rest`."""
    steps: list[_Drawn] = []
    states: IntArray = np.zeros(len(x_BT), np.int64)
    most = config.max_length + (guided is not None)  # the end of a text of full length is drawn too
    rows = np.arange(len(x_BT))
    beginning = Beginning(vocabulary, rest, len(x_BT))
    texts = decode(model, x_BT)
    logits: FloatArray | None = None
    while True:
        if texts.logits is not logits:
            logits = texts.logits
            chances = _Chances.of(logits, config, ends=ends)
        _check_possible(vocabulary, texts, chances, ends=ends)
        if guided is not None:
            ids = _draw_guided(chances, texts.which, guided.log_factors(len(steps), states), config, rng)
        elif beginning.done:
            ids = draw(chances.sums, texts.which, rng)
        else:
            ids = _drawn_within(beginning, texts, config, rng, ends=ends)
        steps.append(_Drawn(rows, ids, chances.log_p[ids, texts.which]))
        on = np.flatnonzero(ids != BOUNDARY)
        if not len(on) or len(steps) == most:
            return steps
        rows = rows[on]
        beginning.keep(on)
        if guided is not None:
            states = guided.after(states[on], ids[on])
        texts.keep(on)
        texts.advance(ids[on])


def _drawn_within(
    beginning: Beginning, texts: Decoder, config: SampleConfig, rng: np.random.Generator, *, ends: bool
) -> IntArray:
    """Return a token of each text that does not contradict the rest of the prefix, (B,) ids."""
    chances = _Chances.of(beginning.restricted(texts.logits[texts.which]), config, ends=ends)
    if chances.dead.any():
        raise DomainError(
            f"a model must give the prefix a probability above 0; this one gives {config.prefix[:40]!r} none. Use"
            " another prefix."
        )
    ids = draw(chances.sums, np.arange(len(texts.which)), rng)
    beginning.take(ids)
    return ids


def draw(sums_VW: FloatArray, which: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw one id from the distribution of each text, (B,) int64, with one uniform random number per text.

    Inverts the cumulative sum: the id is the first whose sum exceeds u times the total. A probability of 0 does not
    change the sum, so its id is never the first. The largest u below 1, times any total, rounds to a number below that
    total, so there is always such an id, however the sums were rounded.

    Args:
        sums_VW: (V, W) cumulative sums of the probabilities, down each column; the last ones are above 0.
        which: (B,) the column of each text.
        rng: the random generator.
    """
    sums_VB = sums_VW.take(which, axis=1)
    ids: IntArray = np.count_nonzero(sums_VB <= rng.random(len(which)) * sums_VB[-1], axis=0)
    return ids


def _draw_guided(
    chances: _Chances, which: IntArray, log_f_BV: FloatArray, config: SampleConfig, rng: np.random.Generator
) -> IntArray:
    """Draw one id for each text from the model's distribution times f; temperature and filters apply to the product."""
    log_q_BV = chances.log_p.T[which] + log_f_BV
    if len(rows_without_a_peak(log_q_BV)):
        raise DomainError(
            "a model must give everything that can meet the conditions a probability above 0; this one gives 0 where "
            "there is no other way. Train with smoothing, or ask for less."
        )
    p_BV = _to_draw_from(log_q_BV, config)
    return draw(_running_sums(np.ascontiguousarray(p_BV.T)), np.arange(len(which)), rng)


def _running_sums(p_VW: FloatArray) -> FloatArray:
    """Return cumulative sums down the columns."""
    V, W = p_VW.shape
    if W < V:
        return np.cumsum(p_VW, axis=0)
    sums_VW = np.array(p_VW, order="C")
    for v in range(1, V):  # row by row; cumsum would go down one strided column at a time
        sums_VW[v] += sums_VW[v - 1]
    return sums_VW


def _to_draw_from(logits_WV: FloatArray, config: SampleConfig) -> FloatArray:
    return probabilities(logits_WV, temperature=config.temperature, top_k=config.top_k, top_p=config.top_p)


def _without_end(logits_WV: FloatArray) -> FloatArray:
    allowed_WV = logits_WV.copy(order="K")
    allowed_WV[:, BOUNDARY] = -np.inf
    return allowed_WV


def context_ids(model: LanguageModel, ids: IntArray) -> IntArray:
    """Return the ids (1, T) that a model reads to predict what follows the beginning of an item.

    A model of windows reads boundaries before the beginning, up to its context; a model of sequences reads one.

    Args:
        model: any language model.
        ids: (N,) ids of the beginning, without boundaries.
    """
    boundaries = model.context if model.reads == "windows" else 1
    start = np.concatenate([np.full(boundaries, BOUNDARY, np.int64), ids])
    return start[None, max(len(start) - model.context, 0) :]


def _assemble(vocabulary: TextVocabulary, prefix: str, count: int, steps: list[_Drawn]) -> list[Sample]:
    """Collect the characters of each text from the steps."""
    rows = np.concatenate([step.rows for step in steps])
    by_text = np.argsort(rows, kind="stable")
    ids = np.concatenate([step.ids for step in steps])[by_text]
    log_p = np.concatenate([step.log_p for step in steps])[by_text]
    rows = rows[by_text]
    nats = np.bincount(rows, weights=0.0 - log_p, minlength=count).tolist()  # 0.0 - x gives 0, not -0, for p = 1
    ended = np.bincount(rows[ids == BOUNDARY], minlength=count).astype(np.bool_)
    drawn = np.bincount(rows, minlength=count)
    p_to = np.cumsum(drawn).tolist()
    text_to = np.cumsum(drawn - ended).tolist()  # an end is drawn, but no character stands for it
    p = tuple(np.exp(log_p).tolist())
    kept_ids = ids[ids != BOUNDARY]
    texts = _split(vocabulary, kept_ids, text_to)
    return [
        Sample(
            text=prefix + text, nats=of_text, ended=end, probabilities=p[p_from:p_end], tokens=labels,
        )
        for (text, labels), p_from, p_end, of_text, end in zip(
            texts, [0, *p_to], p_to, nats, ended.tolist(), strict=False
        )
    ]  # fmt: skip


def _split(vocabulary: TextVocabulary, ids: IntArray, ends: list[int]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the text of the ids up to each of these places, and the labels of tokens that are not characters."""
    bounds = list(pairwise([0, *ends]))
    if isinstance(vocabulary, Vocabulary):  # a character has one id, so all are decoded at once
        characters = vocabulary.decode(ids)
        return [(characters[start:end], ()) for start, end in bounds]
    parts = [ids[start:end].tolist() for start, end in bounds]
    return [(spelled(vocabulary, part), tuple(map(vocabulary.label, part))) for part in parts]


def _encode_prefix(vocabulary: TextVocabulary, prefix: str) -> tuple[IntArray, bytes]:
    unknown = vocabulary.unknown(prefix)
    if unknown:
        character = next(character for character in prefix if character in unknown)
        other = character.swapcase()
        raise VocabularyError(
            f"a prefix must consist of characters in the vocabulary; got {character!r} (U+{ord(character):04X}) in "
            f"{prefix[:40]!r}. "
            + (f"Try {other!r}." if not vocabulary.unknown(other) else "Remove it, or train on text that has it.")
        )
    return vocabulary.begin(prefix)


def _check_possible(vocabulary: TextVocabulary, texts: Decoder, chances: _Chances, *, ends: bool) -> None:
    dead = chances.dead[texts.which]
    if not dead.any():
        return
    row = texts.which[dead.argmax()]
    read = vocabulary.decode(texts.x_WT[row])
    peak = (texts.logits[row] if ends else np.delete(texts.logits[row], BOUNDARY)).max()
    if peak == -np.inf:
        raise DomainError(
            f"some character must have a probability above 0; the model gives all of them 0 after {read!r}. "
            "Use another prefix, or train with smoothing."
        )
    raise DomainError(
        f"a model's logits must be finite; got {peak} after {read!r}. "
        "Its training has diverged: train again with a lower learning rate."
    )
