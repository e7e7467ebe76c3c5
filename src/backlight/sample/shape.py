"""Conditions on samples that decoding meets by construction: length, what they contain, how they end, a pattern.

Text that cannot lead to a sample that meets the conditions is never drawn. That alone would spoil the samples: a name
that must end with "son" would go on as if nothing was asked, until hardly any characters are left. So the probability
of each character is multiplied by an estimate of the probability that a text which goes on with it meets the
conditions,

    q(w | h) ∝ p(w | h) f(s, w),    f(s, w) = P(the conditions are met | state s, last character w)

which would be exact with the model's own f. Here f is that of a simple model of the model's samples, for which dynamic
programming from the end computes it (as Zhang et al. 2023, arXiv:2304.07438, do with a hidden Markov model): bigrams,
with a probability of the end that also depends on the position.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from backlight.core import BOUNDARY, ConfigError, FloatArray, IntArray, VocabularyError
from backlight.core.settings import check_settings, setting
from backlight.sample._automaton import DEAD, AfterLabel, Automaton, Condition, Occurs, Template
from backlight.sample._pattern import Pattern
from backlight.text import Vocabulary

ESTIMATED_FROM: Final = 500
"""The number of samples from which it is estimated what follows."""

SEEN_OFTEN: Final = 20
"""Where fewer samples are that long, the end is as likely as at the last position that more of them reach."""

PAIRS: Final = 256
"""Up to this many ids, f depends on the last one; with more, single ids are counted, not pairs."""

MOST_CELLS: Final = 1 << 26
"""The largest number of values of f, 8 bytes each."""

_TINY: Final = 1e-300
_FURTHEST: Final = 600.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Conditions on each sample, which it meets by construction.

    Args:
        min_length: minimum number of characters, with the prefix.
        contains: text that it contains.
        ends_with: text that it ends with.
        template: its characters, one by one, where `?` stands for any.
        pattern: a regular expression that it matches as a whole.
        labels: number of labels of the model, of which each sample has one at its beginning, and nowhere else.

    Raises:
        ConfigError: a setting out of range.
    """

    min_length: int = setting("Minimum number of characters.", default=0, at_least=0, remedy="Leave it out.")
    contains: str = setting("Text that each sample contains.", default="")
    ends_with: str = setting("Text that each sample ends with.", default="")
    template: str = setting("Characters of each sample, where ? stands for any, as in ma??a.", default="")
    pattern: str = setting("Regular expression that each sample matches.", default="")
    labels: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def asks(self) -> bool:
        """Whether there is any condition."""
        return bool(self.min_length or self.contains or self.ends_with or self.template or self.pattern or self.labels)

    def conditions(self, vocabulary: Vocabulary) -> list[Condition]:
        """Return the conditions, except the length.

        Raises:
            VocabularyError: a character is not in the vocabulary.
            ConfigError: the pattern is not valid.
        """
        found: list[Condition] = [AfterLabel(self.labels)] if self.labels else []
        for name, text, at_end in (("contains", self.contains, False), ("ends_with", self.ends_with, True)):
            if text:
                _check_known(name, text, vocabulary)
                found.append(Occurs(text, at_end))
        if self.template:
            made = Template.of(self.template)
            _check_known("template", "".join(c for c in made.characters if c is not None), vocabulary)
            found.append(made)
        return [*found, Pattern(self.pattern)] if self.pattern else found

    def words(self) -> str:
        """Return the conditions in words."""
        named = (("contain", self.contains), ("end with", self.ends_with), ("fit", self.template))
        parts = [f"{verb} {text!r}" for verb, text in named if text]
        parts += [f"match {self.pattern!r}"] if self.pattern else []
        return " and ".join([*parts, *([f"have {self.min_length} characters or more"] if self.min_length else [])])


class Lookahead:
    """What may follow each state, and how promising that is.

    Args:
        automaton: the conditions.
        follows: what follows, as a simple model.
        fewest: minimum number of ids that are drawn.
        most: maximum number of ids that are drawn.

    Raises:
        ConfigError: there are more than `MOST_CELLS` cells.
    """

    def __init__(self, automaton: Automaton, follows: "Follows", *, fewest: int, most: int) -> None:
        S, V = automaton.next_SV.shape
        if (most + 1) * S * V > MOST_CELLS:
            raise ConfigError(
                f"conditions on samples need (length + 1) x states x vocabulary <= {MOST_CELLS:,}; got "
                f"{most + 1} x {S} x {V}. Lower max_length, or simplify the pattern."
            )
        self._next_SV = automaton.next_SV
        self._log_f = np.full((most + 1, S, V), -np.inf)
        alive = np.zeros(S, np.bool_)
        U = len(follows.chances_UV)
        f_SU, log_scale = np.zeros((S, U)), 0.0
        after = np.maximum(automaton.next_SV, 0)
        last = np.arange(V) if U > 1 else np.zeros(V, np.int64)
        for drawn in range(most, -1, -1):
            may_go = alive[after] & (automaton.next_SV != DEAD)
            may_end = automaton.accepts_S & (drawn >= fewest)
            go_SV = np.where(may_go, np.maximum(f_SU[after, last], _TINY), 0.0)
            with np.errstate(divide="ignore"):
                self._log_f[drawn] = np.log(go_SV) + log_scale
                self._log_f[drawn][:, BOUNDARY] = np.log(may_end)
            follows_UV = follows.at(drawn)
            # scaled, since a product of many probabilities would become 0
            end = np.outer(may_end, follows_UV[:, BOUNDARY]) * np.exp(min(-log_scale, _FURTHEST))
            f_SU = go_SV @ follows_UV.T + end
            top = float(f_SU.max())
            if top > 0:
                f_SU /= top
                log_scale = max(log_scale, -_FURTHEST) + np.log(top)
            alive = may_go.any(axis=1) | may_end
        self.possible = bool(alive[0])

    def log_factors(self, drawn: int, states: IntArray) -> FloatArray:
        """Return log f of each id and of the end, in column 0, for texts in these states: (B,) -> (B, V)."""
        log_f: FloatArray = self._log_f[drawn][states]
        return log_f

    def after(self, states: IntArray, ids: IntArray) -> IntArray:
        """Return the states of texts after one more id each, (B,)."""
        return self._next_SV[states, ids]


@dataclass(frozen=True)
class Follows:
    """A simple model of what follows in a text.

    Attributes:
        chances_UV: (U, V) probability of each id, and in column 0 of the end, after each last id; U is V, or 1 if there
            are more than `PAIRS` ids.
        ends_T: (T,) the factor of the probability of the end after t ids; the last one counts for all later ones.
    """

    chances_UV: FloatArray  # noqa: N815  (an axis suffix)
    ends_T: FloatArray  # noqa: N815

    @classmethod
    def of(cls, ids: IntArray, vocabulary_size: int) -> "Follows":
        """Return the model of texts.

        Args:
            ids: (N,) ids of texts, one after the other, each ended by a boundary.
            vocabulary_size: V.
        """
        V = vocabulary_size
        single_V = np.bincount(ids, minlength=V) + 0.1
        single_V /= single_V.sum()
        chances_UV = single_V[None]
        last = np.concatenate([[BOUNDARY], ids[:-1]])
        if V <= PAIRS:
            pairs_VV = np.bincount(last * V + ids, minlength=V * V).reshape(V, V)
            chances_UV = (pairs_VV + 3.0 * single_V) / (pairs_VV.sum(1, keepdims=True) + 3.0)
        begins = np.flatnonzero(last == BOUNDARY)
        position = np.arange(len(ids)) - np.repeat(begins, np.diff(begins, append=len(ids)))
        expected_T = np.bincount(position, weights=chances_UV[last if V <= PAIRS else last * 0, BOUNDARY])
        ended_T = np.bincount(position[ids == BOUNDARY], minlength=len(expected_T))
        often = np.count_nonzero(np.bincount(position) >= SEEN_OFTEN)
        return cls(chances_UV, ((ended_T + 0.5) / (expected_T + 0.5))[: max(often, 1)])

    def at(self, drawn: int) -> FloatArray:
        """Return the probability of each id after each last id, (U, V), in a text of which `drawn` ids are drawn."""
        end_U = np.minimum(self.chances_UV[:, BOUNDARY] * self.ends_T[min(drawn, len(self.ends_T) - 1)], 0.99)
        rest_U = (1 - end_U) / (1 - self.chances_UV[:, BOUNDARY])
        chances_UV: FloatArray = self.chances_UV * rest_U[:, None]
        chances_UV[:, BOUNDARY] = end_U
        return chances_UV


def guide(shape: Shape, vocabulary: Vocabulary, *, prefix: str, most: int, follows: Follows) -> Lookahead:
    """Return the guide of samples of this shape.

    Args:
        shape: the conditions.
        vocabulary: the vocabulary that the model was trained with.
        prefix: what each sample begins with.
        most: maximum number of characters that are drawn.
        follows: what follows, as a simple model.

    Raises:
        VocabularyError: a condition has a character that is not in the vocabulary.
        ConfigError: no sample can meet the conditions, or they are too complex.
    """
    automaton = Automaton.of(shape.conditions(vocabulary), vocabulary, prefix)
    made = Lookahead(automaton, follows, fewest=max(0, shape.min_length - len(prefix)), most=most)
    if not made.possible:
        start = f" after {prefix!r}" if prefix else ""
        raise ConfigError(
            f"samples must {shape.words()}; none of up to {most} characters{start} can. Raise max_length, or ask for "
            "less."
        )
    return made


def _check_known(name: str, text: str, vocabulary: Vocabulary) -> None:
    missing = sorted(set(text) - set(vocabulary.decode(range(vocabulary.size))))
    if missing:
        raise VocabularyError(
            f"{name} must consist of characters that the model knows; got {missing[0]!r} (U+{ord(missing[0]):04X}) in "
            f"{text!r}. Remove it, or train on text that has it."
        )
