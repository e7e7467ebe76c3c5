"""Options outside their range: one line, before anything is made."""

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest

TRAIN = [
    "--lr nan", "--lr inf", "--lr -1", "--steps 0", "--steps -3", "--steps 99999999999999999999", "--batch-size 0",
    "--batch-size 99999999999999999999", "--hidden 0", "--hidden -4", "--hidden x", "--hidden 4,",
    "--hidden 9999999999",
    "--embedding 0", "--embedding 9999999999", "--context 0", "--context -1", "--context 99999999999999999999",
    "--patience 0", "--threads 0", "--eval-interval 0", "--eval-interval -1", "--warmup -1", "--weight-decay -1",
    "--weight-decay nan", "--weight-decay inf", "--momentum 0.9", "--momentum nan", "--optimiser sgd --momentum 1",
    "--optimiser sgd --momentum -0.1", "--optimiser sgd --momentum nan", "--grad-clip 0", "--grad-clip -1",
    "--grad-clip nan",
    "--output-scale -1", "--output-scale nan", "--output-scale inf", "--model bigram --output-scale 1",
    "--ema-decay 0", "--ema-decay 1", "--ema-decay nan", "--model gpt", "--order 3", "--k 1", "--smoothing add-k",
    "--name a/b", "--name ..", "--name .hidden", "--name -", "--name new\nline", "--name \x1b[31m", "--name ",
    f"--name {'x' * 300}", "--runs names.txt", "--runs names.txt/runs",
]  # fmt: skip

COUNT = [
    "--order 0", "--order 7", "--order -1", "--k -1 --smoothing add-k", "--k nan --smoothing add-k", "--k 1",
    "--k inf --smoothing add-k", "--context 3", "--steps 5", "--lr 0.1",
]  # fmt: skip

SAMPLE = [
    "--temperature -1", "--temperature nan", "--temperature inf", "--top-k 0", "--top-k -1", "--top-p 0", "--top-p 2",
    "--top-p nan", "--max-length 0", "--max-length -5", "--prefix Z", "--prefix \N{GRINNING FACE}",
    "--unique --temperature 0", "--runs names.txt",
]  # fmt: skip

FIND_LR = [
    "--from 0", "--from -1", "--from nan", "--from 1 --to 0.1", "--to inf", "--steps 19", "--model ngram",
    "--model gtp", "--hidden x", "--batch-size 0", "--momentum 0.9", "--figure lr.gif", "--figure none/lr.png",
]  # fmt: skip

WRONG_USAGE = [
    "train --steps many", "train --lr big", "train --seed -1", "train --split-seed -1", "train --samples -1",
    "train --optimiser adam", "train --schedule linear", "train -k x", "train --duplicates drop", "train --mode lines",
    "train --no-such-option", "train --format x",
    "sample --count 0", "sample --count -3", "sample --seed -1", "score net",
    "score net names.txt --top 0", "score net names.txt --sort best", "data describe", "runs compare", "learn", "",
    "data forget", "runs show", "find-lr --lr 0.1", "find-lr --schedule constant", "find-lr --k 1", "find-lr --to high",
]  # fmt: skip


@pytest.mark.parametrize("options", TRAIN)
def test_train_refuses(shell: Any, tiny: Callable[..., Any], options: str) -> None:
    shell.refused("train", "names.txt", *tiny(*options.split(" ")))


@pytest.mark.parametrize("options", COUNT)
def test_counting_refuses(shell: Any, options: str) -> None:
    shell.refused("train", "names.txt", "--model", "ngram", *options.split(" "))


@pytest.mark.parametrize("options", SAMPLE)
def test_sample_refuses(runs: Any, options: str) -> None:
    runs.refused("sample", "net", *options.split(" "))


@pytest.mark.parametrize("options", FIND_LR)
def test_find_lr_refuses(shell: Any, options: str) -> None:
    shell.refused("find-lr", "names.txt", *options.split())


def test_find_lr_makes_no_run_and_a_picture_if_asked(shell: Any) -> None:
    before = shell.files()
    found = shell.works("find-lr", "names.txt", "--hidden", "4", "--seed", "2").out
    assert shell.files() == before
    assert shell.works("find-lr", "names.txt", "--hidden", "4", "--seed", "2").out == found
    shell.works("find-lr", "names.txt", "--hidden", "4", "--figure", "lr.svg")
    assert shell.files().keys() - before.keys() == {"lr.svg"}


def test_find_lr_says_how_to_train_with_what_it_found(shell: Any) -> None:
    words = ("names.txt", "--hidden", "4", "--batch-norm", "--batch-size", "8", "--optimiser", "sgd")
    told = shell("find-lr", *words, "--json").json
    assert shlex.split(told["train"]) == [
        "backlight", "train", "names.txt", "--hidden", "4", "--batch-norm", "--batch-size", "8",
        "--optimiser", "sgd", "--lr", str(told["suggestion"]),
    ]  # fmt: skip
    shell.works(*shlex.split(told["train"])[1:], "--steps", "5")


@pytest.mark.parametrize("words", WRONG_USAGE)
def test_wrong_usage_is_2(runs: Any, words: str) -> None:
    before = runs.files()
    result = runs(*words.split())
    assert result.code == 2
    assert "Usage:" in result.err + result.out
    assert runs.files() == before


@pytest.mark.parametrize("words", ["sample nett", "score nett names.txt", "train --resume nett", "runs show nett"])
def test_an_unknown_run_is_met_with_those_there_are(runs: Any, words: str) -> None:
    runs.refused(*words.split(), says="there is no 'nett'. Did you mean net?")
    runs.refused(*words.replace("nett", "zzz").split(), says="There are: ")
    runs.refused(*words.split(), "--runs", "elsewhere", says="Make one: backlight train")


def test_sample_without_any_run(shell: Any) -> None:
    shell.refused("sample", says="no usable run in runs yet")
    assert "no runs in runs yet" in shell.works("runs").out


@pytest.mark.parametrize("lr", ["1e9", "1e30", "1e300"])
def test_divergence_is_said_and_the_best_is_kept(shell: Any, tiny: Callable[..., Any], lr: str) -> None:
    says = "the loss must stay finite; it became nan at step"
    line = shell.refused("train", "names.txt", *tiny("--lr", lr, "--steps", "60"), says=says, keeps=False)
    assert "are kept in runs/names-mlp-1" in line
    assert "smaller learning rate" in line
    shell.works("sample", "names-mlp-1", "--count", "3")
    assert "stopped" in shell.works("runs").out
    shell.works("runs", "show", "names-mlp-1")


@pytest.mark.parametrize(
    "options",
    ["--lr 1e30", "--optimiser sgd --lr 1e30", "--model wavenet --lr 1e30", "--model gru --lr 1e30",
     "--model bigram --lr 1e300 --optimiser sgd"],
)  # fmt: skip
def test_divergence_is_said_with_the_step_the_rate_and_the_place(shell: Any, options: str) -> None:
    words = ("train", "names.txt", *options.split(), "--steps", "40", "--schedule", "constant", "--name", "wild")
    line = shell.refused(*words, keeps=False)
    rate = re.escape(options.partition("--lr ")[2].split()[0].replace("e", "e+"))
    weights = r"\d+ of \d+ parameters are not finite; the one nearest to the loss is \S+"
    op = r"the (loss|output of \S+) is not finite; the largest weight is .+"
    assert re.search(
        rf"it became (nan|inf) at step \d+ with learning rate {rate}: ({weights}|{op})\. The weights of", line
    )
    assert "(backlight find-lr finds one)" in line
    shell.works("sample", "wild", "--count", "1")


@pytest.mark.parametrize("options", ["--batch-norm", "--model wavenet"])
@pytest.mark.parametrize("command", ["train", "find-lr"])
def test_batch_norm_of_one_example(shell: Any, command: str, options: str) -> None:
    says = "batch norm, since one example has no variance; got 1. Choose a larger one."
    shell.refused(command, "names.txt", *options.split(), "--batch-size", "1", says=says)


@pytest.mark.parametrize(
    ("options", "enough"), [("--hidden 4", 9), ("--model gpt --n-embd 8", 10), ("--model gru --hidden 4", 10)]
)
def test_a_context_longer_than_every_item_is_pointed_out(shell: Any, options: str, enough: int) -> None:
    """The longest names here have 9 characters; a model of sequences reads a boundary before them."""
    words = ("train", "names.txt", *options.split(), "--steps", "2", "--samples", "0", "--context")
    told = " ".join(shell.works(*words, enough + 1).out.split())
    longer = f"The context of {enough + 1} is longer than every item: the longest has 9 characters. A context of"
    assert f"{longer} {enough} is enough." in told
    assert "longer than every item" not in shell.works(*words, enough).out


@pytest.mark.parametrize(
    ("options", "rest"), [("", " but the lengths of the items"), ("--model ngram", " but"), ("--mode text", ".")]
)
def test_a_vocabulary_of_one_character_is_pointed_out(shell: Any, options: str, rest: str) -> None:
    shell.write("one", "a\naa\naaa\naaaa\na\naa\naaaaa\naaa\naa\na\n".replace("\n", "" if "text" in options else "\n"))
    told = shell.works("train", "one", *options.split(), *(() if "ngram" in options else ("--steps", "3"))).out
    assert f"All characters are 'a': there is nothing to learn{rest}" in " ".join(told.split())


def test_learning_nothing_is_pointed_out(shell: Any, tiny: Callable[..., Any]) -> None:
    done = shell.works("train", "names.txt", *tiny("--lr", "0"))
    assert "No evaluation was better than the first, before training" in done.out


@pytest.mark.parametrize(
    "options",
    ["--steps 9", "--seed 2", "--model ngram", "other.txt", "--mode text", "--split-seed 1", "--duplicates keep",
     "--name other", "--lr 0.1"],
)  # fmt: skip
def test_a_resumed_run_keeps_its_settings(runs: Any, options: str) -> None:
    runs.refused("train", *options.split(), "--resume", "net", says="keeps its text and settings; got")


def test_novel_is_of_items(runs: Any) -> None:
    runs.refused("sample", "stream", "--novel", says="novel needs a model of items")


def test_a_text_too_small_for_20_new_items_is_no_failure(shell: Any) -> None:
    shell.write("three", "a\nb\nc\n")
    words = ("train", "three", "--model", "ngram", "--order", "1", "--smoothing", "add-k", "--k", "0")
    done = shell(*words, "--json", "--samples", "20")
    assert done.code == 0
    assert done.json["steps"] == 0
    assert "Only " in done.err


def test_counts_that_can_say_nothing_are_no_failure(shell: Any) -> None:
    """An unsmoothed model may have nothing to go on with; it was counted all the same."""
    shell.write("three", "ab\ncd\nef\n")
    done = shell("train", "three", "--model", "ngram", "--smoothing", "add-k", "--k", "1e308", "--json")
    assert done.code == 0
    assert done.json["dev_nats"] is None
