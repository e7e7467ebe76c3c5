"""New items and different ones."""

import numpy as np
import pytest

from backlight.core import BacklightError, ConfigError
from backlight.sample import NotEnoughError, SampleConfig, sample_batch, sample_items
from backlight.text import Vocabulary, training_hashes

PLAIN = SampleConfig()


def seeded(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def three(make_table):
    """Gives "a" (0.5), "b" (0.3) and "c" (0.2), and nothing else."""
    return make_table([[0, 0.5, 0.3, 0.2], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]])


def test_nothing_seen_comes_out(three, abc):
    items = sample_items(three, abc, 500, config=PLAIN, rng=seeded(), novel_to=training_hashes(["a", "c", "zz"]))
    assert [item.text for item in items] == ["b"] * 500


def test_what_is_new_keeps_its_shares(three, abc):
    items = sample_items(three, abc, 5000, config=PLAIN, rng=seeded(), novel_to=training_hashes(["a"]))
    assert np.mean([item.text == "b" for item in items]) == pytest.approx(0.6, abs=0.025)


def test_each_comes_once(chain, abc):
    items = sample_items(chain, abc, 300, config=PLAIN, rng=seeded(), unique=True)
    assert len({item.text for item in items}) == len(items) == 300


def test_both_at_once_and_with_a_prefix(chain, abc):
    known = ["ca", "cb", "cc", "cab"]
    config = SampleConfig(prefix="c")
    items = sample_items(chain, abc, 100, config=config, rng=seeded(), novel_to=training_hashes(known), unique=True)
    found = {item.text for item in items}
    assert len(found) == 100
    assert not found & set(known)
    assert all(text.startswith("c") for text in found)


def test_without_a_wish_it_is_the_batch(chain, abc):
    assert sample_items(chain, abc, 70, config=PLAIN, rng=seeded()) == sample_batch(
        chain, abc, 70, config=PLAIN, rng=seeded()
    )


def test_a_seed_decides_all(chain, abc):
    first, second, other = (
        sample_items(chain, abc, 100, config=PLAIN, rng=seeded(seed), novel_to=training_hashes(["a"]), unique=True)
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


def test_it_takes_the_first_that_were_drawn(three, abc):
    items = sample_items(three, abc, 3, config=PLAIN, rng=seeded(), unique=True)
    drawn = [sample.text for sample in sample_batch(three, abc, 64, config=PLAIN, rng=seeded())]
    assert [item.text for item in items] == list(dict.fromkeys(drawn))


def test_it_gives_up_and_hands_over_what_it_found(three, abc):
    with pytest.raises(
        NotEnoughError, match=r"4 distinct items .*; got 3 in 1000 draws\. Ask for fewer or raise"
    ) as caught:
        sample_items(three, abc, 4, config=PLAIN, rng=seeded(), unique=True)
    assert sorted(sample.text for sample in caught.value.found) == ["a", "b", "c"]
    assert caught.value.draws == 1000
    assert isinstance(caught.value, BacklightError)


def test_patience_sets_the_limit(three, abc):
    nothing_new = training_hashes(["a", "b", "c"])
    config = SampleConfig(temperature=0, top_k=2, prefix="")
    with pytest.raises(NotEnoughError, match=r"400 new items .*; got 0 in 1200 draws\..* or widen top_k or top_p\.$"):
        sample_items(three, abc, 400, config=config, rng=seeded(), novel_to=nothing_new, patience=3)
    with pytest.raises(NotEnoughError, match=r"new and distinct .* got 0 in 1000 draws\..* or shorten the prefix\.$"):
        sample_items(three, abc, 1, config=SampleConfig(prefix="a"), rng=seeded(), novel_to=nothing_new, unique=True)
    with pytest.raises(ConfigError, match="patience"):
        sample_items(three, abc, 1, config=PLAIN, rng=seeded(), unique=True, patience=0)
    with pytest.raises(ConfigError, match="count"):
        sample_items(three, abc, 0, config=PLAIN, rng=seeded(), unique=True)


def test_white_space_around_an_item_does_not_make_it_new(make_table):
    vocabulary = Vocabulary(" a")
    # " a", "a" and the empty item, a third each
    model = make_table([[1 / 3, 1 / 3, 1 / 3], [0, 0, 1], [1, 0, 0]])
    known = training_hashes(["a"])
    with pytest.raises(NotEnoughError, match="got 0"):
        sample_items(model, vocabulary, 1, config=PLAIN, rng=seeded(), novel_to=known)
    with pytest.raises(NotEnoughError, match="got 2"):
        sample_items(model, vocabulary, 3, config=PLAIN, rng=seeded(), unique=True)
    assert len(sample_items(model, vocabulary, 30, config=PLAIN, rng=seeded(), novel_to=training_hashes([]))) == 30
