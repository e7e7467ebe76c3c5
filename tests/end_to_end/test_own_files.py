"""A maker's files: a table, tunes, molecules; tokens; going on from a run."""

import json
from typing import Any

import pytest
from tests.end_to_end.conftest import NAMES, Shell

TINY = ("--model", "mlp", "--context", "2", "--embedding", "2", "--hidden", "4", "--batch-size", "8", "--steps", "6")


@pytest.fixture
def cities(shell: Shell) -> str:
    rows = [f"{number},{name.title()},{'IT' if number % 2 else 'FR'}" for number, name in enumerate(NAMES)]
    (shell.folder / "cities.csv").write_text("\n".join(["id,name,country", *rows]) + "\n")
    return "cities.csv"


def test_a_column_is_learnt_kept_and_used_to_score(shell: Shell, cities: str) -> None:
    out = shell.works("train", cities, "--model", "ngram", "--name", "a", "--samples", "3").out
    assert out.splitlines()[1] == "cities.csv: CSV, column 'name' of 3, 28 items"
    shell.works("train", cities, "--column", "3", "--duplicates", "keep", "--model", "ngram", "--name", "b")
    reading = json.loads((shell.folder / "runs" / "b" / "config.json").read_text())["reading"]
    assert reading == {"format": "csv", "column": "country", "header": "yes", "delimiter": ","}
    scored = shell("score", "b", cities, "--sort", "file", "--json").json
    assert [one["text"] for one in scored["scores"][:2]] == ["FR", "IT"]
    scored = shell("score", "b", cities, "--column", "name", "--json", "--top", "1").json
    assert scored["nats_per_character"] is None
    assert scored["scores"][0]["infinite"] is True
    assert scored["scores"][0]["nats"] is None
    assert " inf " in shell.works("score", "b", cities, "--column", "name").out
    found = shell.works("sample", "a", "--novel", "--count", "5", "--seed", "1").out.splitlines()
    assert not {name.title() for name in NAMES} & set(found)


def test_an_unclear_table_is_refused_before_anything_is_written(shell: Shell) -> None:
    (shell.folder / "pairs.txt").write_text("Ana,f\nBo,m\nCy,f\nDi,m\n")
    for command in (["train"], ["data", "describe"], ["compare"], ["find-lr"]):
        shell.refused(*command, "pairs.txt", says="has 2: 1 ('Ana'), 2 ('f'). Choose one: --column 1")
    assert "4 items" in shell.works("data", "describe", "pairs.txt", "--column", "1").out


def test_items_of_several_lines_are_apart_on_the_screen_and_in_the_file(shell: Shell) -> None:
    tunes = "\n\n".join(f"X:{n}\nK:{'CDG'[n % 3]}\n{name}|" for n, name in enumerate(NAMES))
    (shell.folder / "tunes.abc").write_text(tunes)
    out = shell.works("train", "tunes.abc", "names.txt", "--model", "ngram", "--name", "t", "--samples", "4").out
    assert "tunes.abc: blocks of lines between blank lines, 28 items\n2 files: 56 items\n" in out
    saved = (shell.folder / "runs" / "t" / "samples.txt").read_text()
    assert "\n\n" in saved
    assert saved in out
    samples = shell("sample", "t", "-n", "6", "--seed", "2", "--json").json["samples"]
    texts = [one["text"] for one in samples]
    assert shell.works("sample", "t", "-n", "6", "--seed", "2").out == "\n\n".join(texts) + "\n"


def test_tokens_are_kept_and_a_prefix_may_end_within_one(shell: Shell) -> None:
    menu = [f"{first} {second}" for first in ("grilled", "fried", "smoked") for second in ("salmon", "trout", "tofu")]
    (shell.folder / "menu.txt").write_text("\n".join(menu) + "\n")
    out = shell.works("train", "menu.txt", "--tokens", "words", "--model", "ngram", "--name", "m", "--samples", "2").out
    assert "menu.txt: 9 items, vocabulary" in out
    assert "of words" in out
    found = shell.works("sample", "m", "--prefix", "gri", "-n", "5", "--seed", "1", "--probabilities").out
    assert all(line.startswith(("gri", "  ")) for line in found.splitlines())
    assert "grilled 0." in found
    shell.refused("train", "menu.txt", "--tokens", "word", says="Did you mean words?")
    row = shell("compare", "menu.txt", "--tokens", "bpe:260", "--models", "ngram", "--json").json["models"][0]
    assert row["vocabulary_size"] == 261


def test_a_file_alone_is_enough(shell: Shell) -> None:
    (shell.folder / "few.txt").write_text("anna\nbella\ncarla\ndora\nella\nfiona\ngina\n")
    out = shell.works("train", "few.txt", "--samples", "2").out
    assert "7 different items, most of up to 5 characters; " in out
    assert "Chosen: ngram of order " in out
    assert "The run is in runs/few-ngram-1." in out
    assert "Chosen: ngram" in shell.works("train", "few.txt", "--minutes", "1", "--threads", "1", "--samples", "0").out
    assert "mlp on few.txt" in shell.works("train", "few.txt", *TINY, "--samples", "0").out
    shell.refused("train", "few.txt", "--minutes", "1", "--lr", "0.1", says="--minutes is for --model auto")
    shell.refused("train", "few.txt", "--minutes", "0", says="minutes must be above 0; got 0")
    shell.refused("train", "few.txt", "--model", "auto", "--lr", "0.1", "--hidden", "4", says="got --hidden, --lr.")
    shell.refused("train", "few.txt", "--health", says="ngram counts n-grams")


def test_a_run_goes_on_and_curves_are_compared(shell: Shell) -> None:
    shell.works("train", "names.txt", *TINY, "--name", "first", "--samples", "0")
    (shell.folder / "more.txt").write_text("zoë\nnoël\nrené\nana\nbo\n")
    out = shell.works("train", "more.txt", "--from", "first", "--steps", "4", "--name", "second", "--samples", "0").out
    assert "Starts with the weights of runs/first, dev " in out
    assert "3 new characters (z é ë), with new rows in embedding.weight, " in out
    assert "The initial loss should be" not in out
    compared = shell.works("runs", "compare", "first", "second").out
    assert "Dev loss by step" in compared
    assert compared.count("*") == 3  # the heading, and the best of each
    shell.refused("train", "--from", "first", "--hidden", "9", says="keeps its sizes and tokens")
    shell.refused("train", "--from", "first", "--mode", "text", says="keeps its mode")
    shell.refused("train", "--from", "first", "--resume", "first", says="a resumed run keeps")


def test_describing_several_files_says_how_each_was_read(shell: Shell, cities: str) -> None:
    (shell.folder / "more.jsonl").write_text('{"title": "a b"}\n{"title": null}\n')
    described: Any = shell("data", "describe", cities, "more.jsonl", "--json").json
    assert described["items"] == 29
    assert described["notes"][1] == "more.jsonl: JSON lines, field 'title', 1 item (1 without text left out)"
    shell.refused("data", "describe", cities, "names", says="several texts must be files")
