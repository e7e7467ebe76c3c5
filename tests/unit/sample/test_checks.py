"""Checks of samples: words to avoid, a distance from the training items, and checks of the user's own."""

import sys
from collections import Counter
from itertools import product

import numpy as np
import pytest

from backlight.core import ConfigError
from backlight.sample import Avoids, Distant, SampleConfig, Valid, ValidByCommand, sample_items

ITEMS = ["abc", "bb", "cabba", "a", "caccab"]


def edit_distance(a: str, b: str) -> int:
    """Levenshtein's distance, from its recursion."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


@pytest.mark.parametrize("distance", [1, 2])
def test_the_distance_is_levenshteins(distance: int) -> None:
    texts = ["".join(letters) for n in range(7) for letters in product("abc", repeat=n)]
    near = [min(edit_distance(text, item) for item in ITEMS) < distance for text in texts]
    assert Distant(ITEMS, distance).passes(texts) == [not one for one in near]


def test_another_distance_is_refused() -> None:
    with pytest.raises(ConfigError, match="min_distance must be 1 or 2; got 3"):
        Distant(ITEMS, 3)


def test_words_are_avoided_in_upper_and_lower_case() -> None:
    check = Avoids.of(["Bad ", "", "straße"])
    assert check.passes(["embadded", "BADGE", "bd", "STRASSEN"]) == [False, False, True, False]
    with pytest.raises(ConfigError, match="at least one word"):
        Avoids.of([" "])


def test_a_command_is_a_filter_of_lines() -> None:
    python = f'"{sys.executable}" -c '
    keep = "import sys; [print(line, end='') for line in sys.stdin if 'b' in line]"
    assert ValidByCommand(f'{python}"{keep}"').passes(["ab", "ac", "b"]) == [True, False, True]
    assert ValidByCommand(f'{python}"raise SystemExit(1)"').passes(["ab"]) == [False]  # as grep says: no line
    with pytest.raises(ConfigError, match=r"exits with 3: no such thing\. Try it alone"):
        ValidByCommand(f"{python}\"import sys; print('no such thing', file=sys.stderr); sys.exit(3)\"").passes(["ab"])
    with pytest.raises(ConfigError, match="prints 'hi'"):
        ValidByCommand(f"{python}\"print('hi')\"").passes(["ab"])


def test_draws_are_counted_by_what_became_of_them(chain, abc) -> None:
    tally: Counter[str] = Counter()
    checks = [Avoids.of(["ca"]), Valid(lambda text: len(text) > 2)]
    found = sample_items(
        chain, abc, 40, config=SampleConfig(), rng=np.random.default_rng(0), unique=True, checks=checks, tally=tally
    )
    texts = [one.text for one in found]
    assert len(set(texts)) == 40
    assert all("ca" not in text and len(text) > 2 for text in texts)
    left_out = {reason for reason, number in tally.items() if number}
    assert left_out == {"drawn", "occurred before", "contain a word to avoid", "are not valid"}
    assert tally["drawn"] - sum(number for reason, number in tally.items() if reason != "drawn") >= 40
