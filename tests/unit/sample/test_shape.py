"""Conditions on samples: against Python's `re` and string methods, and against the exact conditional distribution."""

import re
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from backlight.core import ConfigError, DomainError, VocabularyError
from backlight.sample import SampleConfig, sample_batch, sample_items
from backlight.sample._automaton import DEAD, Automaton, Occurs, Template
from backlight.sample._pattern import Pattern
from backlight.sample.shape import MOST_CELLS, Follows
from backlight.text import Vocabulary

PATTERNS = [
    "a", "", "ab?c", "(ab|ba)*", "a{2,3}", "a{2,}b", "[ab]c[^a]*", "(a|b(c|ca))+", ".*abc.*", r"\w+", r"[^\W]{2}",
    "^ab$", "(?:a|)b", "a*?b+?", "(a{2}){2}", "((a|b)*c)*", "[a-b]*c{0,2}", "(|a)(|b)(|c)", r"\S\d*c",
]  # fmt: skip
TEXTS = ["".join(letters) for n in range(6) for letters in product("abc", repeat=n)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_matches_what_re_matches(pattern: str) -> None:
    automaton = Automaton.of([Pattern(pattern)], Vocabulary("abc"), "")
    for text in TEXTS:
        state = 0
        for token in Vocabulary("abc").encode(text):
            state = DEAD if state == DEAD else int(automaton.next_SV[state, token])
        assert (state != DEAD and bool(automaton.accepts_S[state])) == bool(re.fullmatch(pattern, text)), text


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(?=a)b", "got assert"), (r"(a)\1", "got groupref"), ("(?i)a", "got flags"), (r"a\b", "got at"),
     ("a$b", "got at"), ("a{2000}", "got more than 1,000 repetitions"), ("(a", "must be a regular expression")],
)  # fmt: skip
def test_a_pattern_that_cannot_be_followed_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Pattern(pattern)


@pytest.mark.parametrize("wanted", ["a", "ab", "aab", "abab", "aaa", "cabcab"])
def test_occurs_is_in_and_endswith(wanted: str) -> None:
    for at_end in (False, True):
        condition = Occurs(wanted, at_end)
        for text in TEXTS:
            state = condition.start
            for character in text:
                state = condition.step(state, character)
            assert condition.accepts(state) == (text.endswith(wanted) if at_end else wanted in text)


def test_a_template_may_have_a_question_mark() -> None:
    assert Template.of(r"a?\?\\b").characters == ("a", None, "?", "\\", "b")


CONDITIONS: list[tuple[dict[str, Any], Callable[[str], bool]]] = [
    ({"contains": "cba"}, lambda text: "cba" in text),
    ({"ends_with": "bb"}, lambda text: text.endswith("bb")),
    ({"template": "a??c"}, lambda text: len(text) == 4 and text[0] == "a" and text[3] == "c"),
    ({"pattern": "(ac|b)+a"}, lambda text: re.fullmatch("(ac|b)+a", text) is not None),
    ({"min_length": 5}, lambda text: len(text) >= 5),
    ({"prefix": "ca", "contains": "aa", "min_length": 4}, lambda t: t.startswith("ca") and "aa" in t and len(t) >= 4),
    ({"contains": "b", "ends_with": "a", "pattern": "[ab]*", "temperature": 0.5, "top_k": 2},
     lambda text: "b" in text and text.endswith("a") and "c" not in text),
    ({"ends_with": "b", "temperature": 0}, lambda text: text.endswith("b")),
]  # fmt: skip


@pytest.fixture
def soft(chain, make_table):
    """The chain without probabilities of 0."""
    return make_table(0.95 * chain.p + 0.05 / 4)


@pytest.mark.parametrize(("asked", "holds"), CONDITIONS)
def test_every_sample_meets_its_conditions(soft, abc, asked: dict[str, Any], holds: Callable[[str], bool]) -> None:
    for most in (6, 9):
        config = SampleConfig(max_length=most, **asked)
        found = sample_batch(soft, abc, 200, config=config, rng=np.random.default_rng(0))
        prefix = len(asked.get("prefix", ""))
        assert all(one.ended and holds(one.text) and len(one.text) - prefix <= most for one in found)


def test_the_longest_text_may_have_max_length_characters(chain, abc) -> None:
    config = SampleConfig(max_length=4, min_length=4)
    found = sample_batch(chain, abc, 50, config=config, rng=np.random.default_rng(0))
    assert {len(one.text) for one in found} == {4}


def test_samples_come_from_the_conditional_distribution(chain, abc) -> None:
    """The chain's next character depends on the last one only, as in the estimate of what follows: then it is exact."""
    config = SampleConfig(max_length=12, ends_with="cb")
    found = sample_batch(chain, abc, 20_000, config=config, rng=np.random.default_rng(0))
    counts = Counter(one.text for one in found)
    exact = {text: float(np.prod(chain.p_along([*abc.encode(text), 0]))) for text in TEXTS if text.endswith("cb")}
    short = sum(counts[text] for text in exact)  # texts of up to 5 characters
    total = sum(exact.values())
    for text, p in sorted(exact.items(), key=lambda pair: -pair[1])[:12]:
        assert counts[text] / short == pytest.approx(p / total, abs=0.03), text
    # probabilities are the model's own
    one = found[0]
    assert one.nats == pytest.approx(-np.log(chain.p_along([*abc.encode(one.text), 0])).sum())


def test_the_estimate_counts_pairs_and_the_place_of_the_end() -> None:
    ids = np.array([1, 2, 0] * 100 + [1, 2, 1, 2, 0] * 100)
    follows = Follows.of(ids, 4)
    assert follows.at(0)[1, 2] > 0.98  # a 2 after a 1, always
    assert follows.at(1)[1, 0] < 0.1
    assert 0.4 < follows.at(2)[2, 0] < 0.6  # half of the texts end after two
    assert follows.at(4)[2, 0] > 0.9
    assert follows.at(40)[2, 0] > 0.9
    assert np.allclose(follows.at(3).sum(1), 1)


def test_a_large_vocabulary_is_estimated_without_pairs() -> None:
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 400)))
    ids = np.random.default_rng(0).integers(1, 401, 4000)
    ids[::8] = 0
    assert Follows.of(ids, 401).chances_UV.shape == (1, 401)
    rows = np.full((401, 401), 1 / 401)

    class Flat:
        vocabulary_size, context, reads = 401, 1, "windows"

        def next_logits(self, x_BT: np.ndarray) -> np.ndarray:
            return np.log(rows[x_BT[:, -1]])

    config = SampleConfig(max_length=8, ends_with=characters[7:9])
    found = sample_batch(Flat(), Vocabulary(characters), 20, config=config, rng=np.random.default_rng(0))
    assert all(one.text.endswith(characters[7:9]) and one.ended for one in found)


def test_what_cannot_be_is_refused(chain, abc) -> None:
    def draw(**asked: Any) -> None:
        sample_batch(chain, abc, 3, config=SampleConfig(**{"max_length": 6, **asked}), rng=np.random.default_rng(0))

    with pytest.raises(ConfigError, match="samples must contain 'abcabca'; none of up to 6 characters can"):
        draw(contains="abcabca")
    with pytest.raises(ConfigError, match="after 'b' can"):
        draw(template="a?", prefix="b")
    with pytest.raises(VocabularyError, match="ends_with must consist of characters that the model knows; got 'x'"):
        draw(ends_with="ax")
    with pytest.raises(ConfigError, match=f"<= {MOST_CELLS:,}"):
        draw(contains="a" * 900, max_length=100_000)
    with pytest.raises(ConfigError, match="need a model of items"):
        sample_batch(
            chain, abc, 3, config=SampleConfig(contains="a"), rng=np.random.default_rng(0), ends=False
        )  # fmt: skip
    with pytest.raises(ConfigError, match="min_length must be 0 or more"):
        SampleConfig(min_length=-1)


def test_a_way_that_the_model_excludes_is_an_error(chain, abc) -> None:
    config = SampleConfig(max_length=6, ends_with="ab")  # a b never follows an a
    with pytest.raises(DomainError, match="must give everything that can meet the conditions"):
        sample_batch(chain, abc, 20, config=config, rng=np.random.default_rng(0))


def test_distinct_samples_with_a_condition(chain, abc) -> None:
    config = SampleConfig(max_length=9, contains="cba")
    found = sample_items(chain, abc, 100, config=config, rng=np.random.default_rng(0), unique=True)
    assert len({one.text for one in found}) == 100
