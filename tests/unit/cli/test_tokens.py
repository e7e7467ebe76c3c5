"""`backlight tokens`: a text as tokens, with the merges that produced them."""

import json

import pytest
from tests.conftest import shared_file
from typer.testing import CliRunner

from backlight.cli.app import app
from backlight.core import BacklightError
from backlight.text.tokenizers import BPETokenizer

PLAIN = {"COLUMNS": "80", "TERM": "dumb", "FORCE_COLOR": "", "NO_COLOR": ""}


def run(*arguments, env=None, stdin=None):
    result = CliRunner().invoke(app, ["tokens", *map(str, arguments)], env=PLAIN | (env or {}), input=stdin)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def refused(*arguments):
    with pytest.raises(BacklightError) as error:
        run(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def tokenizer(tmp_path):
    path = tmp_path / "mine.json"
    BPETokenizer.train("she sells sea shells", 262, special_tokens=["<|endoftext|>"]).save(path)
    return path


def test_tokens_are_set_off_and_their_merges_listed(tokenizer):
    out = run("she sells é\x1b[0m\nsea", "--tokenizer", tokenizer)
    assert "s│he│␣se│lls│␣│\\xc3│\\xa9│\\x1b│[│0│m│↵\n│s│e│a\n" in out
    assert "15 tokens, 19 characters, 20 bytes: 1.27 characters per token" in out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "258 1 ␣se 1: ␣ + s 3: ␣s + e" in rows
    assert "115 2 s a byte" in rows
    assert "\x1b" not in out
    assert all(len(line) <= 80 or "mine.json" in line for line in out.splitlines())


def test_no_line_breaks_within_a_token(tokenizer):
    out = run("she sells sea shells " * 30, "--tokenizer", tokenizer, "--rows", 0)
    tokens = {BPETokenizer.load(tokenizer).label(i) for i in range(262)}
    drawn = out.split("\n\n")[1].splitlines()
    assert len(drawn) > 5
    assert all(token in tokens for line in drawn for token in line.strip("│").split("│"))


def test_colours_set_tokens_off_where_there_are_colours(tokenizer):
    out = run("she sells", "-t", tokenizer, env={"FORCE_COLOR": "1", "TERM": "xterm-256color"})
    assert "\x1b[30;106ms\x1b[0m\x1b[30;103mhe\x1b[0m\x1b[30;102m se\x1b[0m" in out
    assert "│" not in out
    out = run("she sells", "-t", tokenizer, env={"FORCE_COLOR": "1", "TERM": "xterm-256color", "NO_COLOR": "1"})
    assert "s│he│␣se│lls" in out


def test_a_bar_in_the_text_is_not_taken_for_a_boundary(tokenizer):
    assert "a│\\xe2│\\x94│\\x82│b" in run("a│b", "-t", tokenizer)


def test_json_has_everything(tokenizer):
    out = run("she sells", "-t", tokenizer, "--json", "--rows", 0)
    values = json.loads(out)
    made = BPETokenizer.load(tokenizer)
    assert values["ids"] == made.encode("she sells").tolist()
    assert (values["size"], values["characters"], values["bytes"]) == (262, 9, 9)
    data = {one["id"]: bytes.fromhex(one["bytes"]) for one in values["tokens"]}
    assert b"".join(data[i] for i in values["ids"]) == b"she sells"
    lls = next(one for one in values["tokens"] if one["label"] == "lls")
    assert lls["merges"] == [{"number": 4, "left": "6c", "right": "6c"}, {"number": 5, "left": "6c6c", "right": "73"}]
    assert (lls["times"], lls["special"]) == (1, False)


def test_a_tokenizer_is_learnt_and_written(tmp_path):
    (tmp_path / "words.txt").write_text("anna\nhannah\nanna\n")
    out = run("hannah", "--train", tmp_path / "words.txt", "--size", 260, "--save", tmp_path / "made.json")
    assert "260 tokens, 4 merges" in out
    assert BPETokenizer.load(tmp_path / "made.json") == BPETokenizer.train("anna\nhannah\nanna\n", 260)
    run("--train", tmp_path / "words.txt", "--size", 260, "--pattern", "gpt4", "--save", tmp_path / "made.tiktoken")
    assert "260 tokens" in run("hannah", "-t", tmp_path / "made.tiktoken", "--pattern", "gpt4")
    assert "trained on names" in run("anna", "--train", "names", "--size", 300)


def test_without_a_tokenizer_one_is_learnt_from_shakespeare():
    assert "trained on shakespeare" in run("the king")


def test_a_text_may_come_from_a_file_or_standard_input(tokenizer, tmp_path):
    (tmp_path / "text.txt").write_bytes(b"a\r\n\x00b")
    assert "a│\\r│↵\n│\\x00│b\n" in run("--file", tmp_path / "text.txt", "-t", tokenizer)
    assert "3 tokens" in run("--file", "-", "-t", tokenizer, stdin="abc")
    assert "0 tokens, 0 characters, 0 bytes" in run("", "-t", tokenizer)


def test_gpt2_has_a_name():
    folder = shared_file("gpt2/encoder.json").parent
    out = run("Hello, world", "--tokenizer", "gpt2", env={"BACKLIGHT_DATA": str(folder)})
    assert "gpt2: 50,257 tokens, 50,000 merges" in out
    assert "Hello│,│␣world" in out


def test_special_tokens_are_shown_if_they_are_allowed(tokenizer):
    text = "she<|endoftext|>sells"
    assert "got '<|endoftext|>' at character 4. Use --allow-special" in refused(text, "-t", tokenizer)
    assert "│<|endoftext|>│" in run(text, "-t", tokenizer, "--allow-special")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a text is needed"),
        (("a", "--file", "x"), "the text must be given once"),
        (("a", "-t", "nowhere.json"), "No such file"),
        (("a", "-t", "x", "--train", "names"), "--tokenizer excludes"),
        (("a", "-t", "x", "--size", "300"), "--tokenizer excludes"),
        (("a", "--size", "0"), "vocabulary_size must be a whole number from 256"),
        (("a", "--train", "names", "--size", "90000"), "this text gave 34,151 merges"),
        (("a", "--pattern", "gpt5"), "got 'gpt5'"),
        (("a", "--save", "x.txt"), "saved as NAME.json"),
        (("--file", "nowhere.txt"), "there is no 'nowhere.txt'"),
        (("--train", "nowhere.txt", "a"), "there is no 'nowhere.txt'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, said):
    assert said in refused(*arguments)


def test_a_file_that_is_no_text_is_refused(tmp_path, tokenizer):
    (tmp_path / "x").write_bytes(b"ab\xff")
    assert "has the byte 0xff at byte 2" in refused("--file", tmp_path / "x", "-t", tokenizer)
