"""Labels: read from a table, one character each, and used for samples and scores."""

from pathlib import Path

import numpy as np
import pytest

import backlight
from backlight.core import ConfigError, DataError
from backlight.text import Reading, load_corpus
from backlight.text.labels import FIRST, mark_of, marked, spelled, split

ITALIAN = ["milano", "roma", "torino", "verona", "genova", "bologna", "palermo", "pisa", "siena", "modena"]
GERMAN = ["berlin", "bremen", "neuburg", "hamburg", "freiburg", "dortmund", "essen", "bonn", "ulm", "trier"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "places.csv"
    rows = [
        f"{name},{label},{nth}" for label, names in (("IT", ITALIAN), ("DE", GERMAN)) for nth, name in enumerate(names)
    ]
    path.write_text("name,country,rank\n" + "\n".join([*rows, "atlantis,,3"]) + "\n")
    return path


def test_a_column_of_labels_becomes_a_character_of_each_item(table: Path) -> None:
    corpus = load_corpus(table, reading=Reading(column="name", label="country"))
    assert corpus.reading.labels == ("DE", "IT")
    assert corpus.reading.label == "country"
    assert [split(item, corpus.reading.labels) for item in corpus.items[:2]] == [("IT", "milano"), ("IT", "roma")]
    assert len(corpus.items) == 20
    assert "20 items (1 blank left out), 2 labels of column country (DE, IT)" in corpus.notes[0]


def test_labels_keep_their_characters_in_further_files(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.csv"
    other.write_text("name,country,rank\nwien,AT,1\nbari,IT,2\n")
    corpus = load_corpus([table, other], reading=Reading(column="name", label="country"))
    assert corpus.reading.labels == ("DE", "IT", "AT")
    assert [spelled(item, corpus.reading.labels) for item in corpus.items[-2:]] == ["AT: wien", "IT: bari"]


def test_the_items_are_found_beside_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("place,kind\nroma,x\npisa,y\nbonn,x\n")
    corpus = load_corpus(path, reading=Reading(label="kind"))
    assert [split(item, corpus.reading.labels)[1] for item in corpus.items] == ["roma", "pisa", "bonn"]


def test_a_model_with_labels_samples_and_scores_by_label(table: Path) -> None:
    model = backlight.train(table, "ngram", column="name", label="country", progress=None)
    german = model.sample(40, label="DE", seed=1)
    assert len({text[:1] for text in german} & set("bnhfdeut")) > 3
    assert all(ord(c) < FIRST for text in german for c in text)
    assert all(text.split(": ")[0] in {"IT", "DE"} for text in model.sample(40, seed=1))
    assert model.score("hamburg", label="DE") < model.score("hamburg", label="IT")
    of_table = model.scores(table)
    assert [one.text for one in of_table[:1]] == ["IT: milano"]
    assert of_table[0].per_character[0][0] == "IT"
    assert of_table[0].nats == pytest.approx(model.score("milano", label="IT")[0])


@pytest.mark.parametrize("label", ["DE", None])
def test_conditions_hold_for_the_text_after_the_label(table: Path, label: str | None) -> None:
    model = backlight.train(table, "ngram", column="name", label="country", order=3, progress=None)

    def sampled(**conditions: str | int) -> list[str]:
        return [
            text.removeprefix("IT: ").removeprefix("DE: ")
            for text in model.sample(20, label=label, seed=1, **conditions)
        ]

    assert all(len(text) == 5 and text[1] == "e" for text in sampled(template="?e???"))
    assert all(set(text) <= set("berlinmo") and text for text in sampled(pattern="[berlinmo]+"))
    assert all(len(text) >= 7 for text in sampled(min_length=7))
    seen: list[str] = []
    model.sample(5, label=label, seed=1, valid=lambda text: seen.append(text) is None)
    assert seen
    assert all(ord(character) < FIRST for text in seen for character in text)


def test_a_saved_model_keeps_its_labels(table: Path, tmp_path: Path) -> None:
    model = backlight.train(table, "ngram", column="name", label="country", run=tmp_path / "run", progress=None)
    again = backlight.load(tmp_path / "run")
    assert again.sample(5, label="IT", seed=2) == model.sample(5, label="IT", seed=2)
    np.testing.assert_array_equal(again.score(table), model.score(table))


def test_what_is_wrong_about_a_label_is_one_line(table: Path) -> None:
    model = backlight.train(table, "ngram", column="name", label="country", progress=None)
    with pytest.raises(ConfigError, match=r"one of those .*: DE, IT; got 'FR'\. Choose one"):
        model.sample(label="FR")
    with pytest.raises(ConfigError, match="a text must have a label"):
        model.score("roma")
    with pytest.raises(ConfigError, match="this one has none"):
        backlight.train(ITALIAN, "ngram", progress=None).sample(label="IT")
    with pytest.raises(ConfigError, match="two columns; got 'name' for both"):
        backlight.train(table, "ngram", column="name", label="name", progress=None)
    with pytest.raises(ConfigError, match="label must be the name of a column"):
        backlight.train(table, "ngram", column="name", label="land", progress=None)
    with pytest.raises(ConfigError, match="labels come from a column"):
        backlight.train(table, "ngram", column="name", labels=("DE", "IT"), progress=None)
    with pytest.raises(ConfigError, match="field is for JSON"):
        Reading(field="name", label="country")
    with pytest.raises(DataError, match=r"at most 1,000 different ones; that of t\.csv has 1,001"):
        marked(["x"] * 1001, [str(n) for n in range(1001)], (), "t.csv")
    with pytest.raises(DataError, match=r"from U\+F0000 on"):
        marked([chr(FIRST)], ["a"], (), "t.csv")
    assert mark_of("IT", ("DE", "IT")) == chr(FIRST + 1)


def test_a_run_that_goes_on_keeps_the_characters_of_its_labels(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.csv"
    other.write_text("name,country,rank\nwien,AT,1\nbari,IT,2\nlinz,AT,2\nmainz,DE,7\n")
    how = {"column": "name", "label": "country"}
    first = backlight.train(table, "mlp", steps=2, hidden=[8], progress=None, **how)
    second = backlight.train(other, start=first, steps=1, progress=None, **how)
    assert second.run.config.reading.labels == ("DE", "IT", "AT")
    assert second.score("bari", label="IT").shape == (1,)
    with pytest.raises(ConfigError, match="has labels, so a text on which it goes on needs some too"):
        backlight.train(other, start=first, steps=1, column="name", progress=None)
