"""The tables of an n-gram model give the model's own probabilities, by the recursion that they are described by."""

from typing import Any

import numpy as np
import pytest

from backlight.core import Array
from backlight.models import NGram
from backlight.models.ngram import NGramConfig
from backlight.text import Vocabulary

ITEMS = ["emma", "emmy", "ava", "avery", "anna", "ann", "mia", "mimi"]
UNSEEN = "yyyvvv"


def probabilities(arrays: dict[str, Array], ids: list[int]) -> Array:
    p, node, levels = arrays["lowest"].copy(), 0, sum(name.startswith("contexts") for name in arrays) // 2
    for level in range(1, levels + 1):
        starts, older = arrays[f"contexts.{level}.starts"], arrays[f"contexts.{level}.ids"]
        here = [at for at in range(starts[node], starts[node + 1]) if older[at] == ids[-level]] if node >= 0 else []
        node = here[0] if here else -1
        if f"levels.{level}.weight" not in arrays:
            continue
        p = p * arrays[f"levels.{level}.weight"][node]
        if node >= 0:
            part = slice(*arrays[f"levels.{level}.starts"][[node, node + 1]])
            p[arrays[f"levels.{level}.ids"][part]] += arrays[f"levels.{level}.share"][part]
    return p


@pytest.mark.parametrize(
    "settings",
    [
        {"order": 1}, {"order": 4}, {"order": 1, "smoothing": "add-k", "k": 0.5},
        {"order": 3, "smoothing": "add-k", "k": 0.5}, {"order": 3, "smoothing": "add-k", "k": 0},
    ],
)  # fmt: skip
def test_the_tables_give_the_same_probabilities(settings: dict[str, Any]) -> None:
    vocabulary = Vocabulary.of(ITEMS)
    model = NGram(NGramConfig(vocabulary_size=vocabulary.size, **settings)).fit(vocabulary.encode_items(ITEMS))
    arrays = model.tables()
    for text in [*ITEMS, UNSEEN]:
        ids = [0] * model.context + vocabulary.encode(text).tolist()
        for end in range(model.context, len(ids)):
            read = ids[end - model.context : end]
            expected = np.exp(model.next_logits(np.array([read], np.int64).reshape(1, -1))[0])
            np.testing.assert_allclose(probabilities(arrays, read), expected, rtol=1e-12)
