"""What is printed: on a terminal of 80 columns, without one, in ASCII, and where nobody reads."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len

COMMANDS = [
    "data", "data list", "data describe names.txt", "runs", "runs list", "runs show net", "runs show counted",
    "runs compare net counted stream", "sample net", "sample net --probabilities", "sample stream",
    "score net names.txt", "score net names.txt --per-character",
    "train names.txt --context 2 --hidden 4 --steps 6", "train names.txt --model ngram --order 2",
    "train names.txt --mode text --context 2 --hidden 4 --steps 6", "train --resume net",
    "find-lr names.txt --context 2 --hidden 4", "find-lr names.txt --hidden 4 --to 1e-4",
    "explain tanh(x*w) --at x=2,w=3", "explain --run net", "explain --model gru names.txt",
    "figures --list", "gradcheck --model bigram",
]  # fmt: skip

HELP = [
    "", "train", "find-lr", "sample", "explain", "score", "figures", "gradcheck", "data", "data list", "data describe",
    "runs", "runs list", "runs show", "runs compare",
]  # fmt: skip

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

LISTS_WHOLE_ITEMS = ("sample", "--per-character", "runs show")
"""Commands that print items, or a line of them, as they are, however long."""


def on_a_terminal(shell: Any, *words: str, columns: int = 80) -> tuple[int, str]:
    """Run a command on a pseudo-terminal; return its exit code and all that it wrote there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**shell.environment(), "TERM": "xterm-256color", "COLUMNS": str(columns)}
    process = shell.start(*words, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    written = b""
    while True:
        try:
            part = os.read(master, 65_536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not part:
            break
        written += part
    os.close(master)
    return process.wait(), written.decode()


def lines(written: str) -> list[str]:
    return re.split(r"[\r\n]+", ESCAPES.sub("", written))


@pytest.mark.parametrize("words", COMMANDS)
def test_without_a_terminal_there_are_no_escape_codes(runs: Any, words: str) -> None:
    out = runs.works(*words.split()).out
    assert out
    assert "\x1b" not in out
    assert "\r" not in out


@pytest.mark.parametrize("words", [words for words in COMMANDS if not any(part in words for part in LISTS_WHOLE_ITEMS)])
def test_a_terminal_of_80_columns_is_wide_enough(runs: Any, words: str) -> None:
    code, written = on_a_terminal(runs, *words.split())
    assert code == 0
    if "text" not in words:  # of a stream, the sample is printed as it is
        assert max(map(cell_len, lines(written))) <= 80


def test_the_first_loss_stands_beside_that_of_a_guess(shell: Any, tiny: Callable[..., Any]) -> None:
    told = shell.works("train", "names.txt", *tiny()).out
    expected, first = re.findall(r"loss of a uniform guess: ln 23 = (\S+) nats; before training: (\S+) nats", told)[0]
    assert abs(float(first) / float(expected) - 1) < 0.1
    assert "should be that of" not in told
    assert told.index("before training") < told.index("samples")


def test_a_badly_scaled_last_layer_is_warned_of(shell: Any, tiny: Callable[..., Any]) -> None:
    code, told = on_a_terminal(shell, "train", "names.txt", *tiny("--output-scale", "20"))
    assert code == 0
    assert max(map(cell_len, lines(told))) <= 80
    words = " ".join(" ".join(lines(told)).split())
    assert "The initial loss should be that of a uniform guess, 3.14; it is " in words
    assert "Scale down the initial weights of the last layer. Leave out --output-scale, or set it to 0.1." in words
    result = shell("train", "names.txt", *tiny("--output-scale", "20"), "--json").json
    assert result["initial_nats"] > 2 * result["expected_initial_nats"]


def test_wide_characters_count_twice(shell: Any, tiny: Callable[..., Any]) -> None:
    shell.write(
        "wide", "東京都千代田区丸の内一丁目\n大阪府大阪市北区梅田\n京都府京都市下京区\n北海道札幌市中央区\n" * 2
    )
    code, written = on_a_terminal(shell, "train", "wide", *tiny(), "--samples", "0")
    assert code == 0
    assert max(map(cell_len, lines(written))) <= 80


def test_a_terminal_shows_a_bar_that_moves(shell: Any, tiny: Callable[..., Any]) -> None:
    code, written = on_a_terminal(shell, "train", "names.txt", *tiny("--steps", "4000"))
    assert code == 0
    assert re.search(r"training .*loss \d\.\d+ .*char/s +\d+:\d\d left", ESCAPES.sub("", written))
    assert max(map(cell_len, lines(written))) <= 80


def test_a_loss_that_runs_away_stays_in_its_column(shell: Any, tiny: Callable[..., Any]) -> None:
    code, written = on_a_terminal(shell, "train", "names.txt", *tiny("--lr", "1e9"))
    assert code == 1
    assert "Traceback" not in written
    table, _, _ = written.partition("backlight: ")  # the message may be longer
    assert max(map(cell_len, lines(table))) <= 80


@pytest.mark.parametrize("words", HELP)
def test_help_has_an_example(shell: Any, words: str) -> None:
    out = shell.works(*words.split(), "--help").out
    assert re.search(r"(Example|Try): +backlight", out)
    assert max(map(cell_len, out.splitlines())) <= 80
    assert shell.works(*words.split(), "-h").out == out


def test_version(shell: Any) -> None:
    assert re.fullmatch(r"backlight \d+\.\d+\.\d+\S*\n", shell.works("--version").out)


ASCII = {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("env", [ASCII, {"LANG": "C", "LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}], ids=str)
def test_a_terminal_that_knows_few_characters(shell: Any, tiny: Callable[..., Any], env: dict[str, str]) -> None:
    shell.write("emoji", "\N{GRINNING FACE}\N{BEER MUG}\n日本語\nnée\n\N{BEER MUG}\n")
    shell.works("train", "emoji", *tiny(), "--name", "net", env=env)
    for words in ("data describe emoji", "sample net", "score net emoji --per-character", "runs show net", "runs"):
        shell.works(*words.split(), env=env)
    sampled = shell.works("sample", "net", "--json", "--seed", "1", env=env)
    assert sampled.json == shell.works("sample", "net", "--json", "--seed", "1").json
    shell.refused("sample", "net", "--prefix", "Q", env=env)
    shell.refused("train", "日本語", env=env)


def piped(shell: Any, line: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of shell in which $B is the command."""
    environment = {**shell.environment(), "B": str(shell.command)}
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=shell.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception" not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    "words",
    ["sample net --count 100000 | head -1", "sample net | true", "data | true", "sample net --json | true",
     "score net names.txt | true", "train names.txt --hidden 4 --context 2 --steps 20 | head -1",
     "train --help | true"],
)  # fmt: skip
def test_a_reader_that_goes_away_is_no_error_to_talk_about(runs: Any, words: str) -> None:
    assert piped(runs, f"$B {words}").stderr == ""


@pytest.mark.parametrize("words", ["data", "runs list --json", "sample net", "train names.txt --hidden 4 --steps 2"])
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(runs: Any, words: str, closed: str) -> None:
    done = piped(runs, f"$B {words} {closed}")
    assert done.returncode == 0
    assert done.stderr == "" or "--json" in words


@pytest.mark.parametrize("words", ["data describe -", "train -", "score net -"])
def test_a_closed_standard_input_has_no_text(runs: Any, words: str) -> None:
    done = piped(runs, f"$B {words} <&-")
    assert done.returncode == 1
    assert "reads standard input; it is closed" in done.stderr
    assert done.stderr.count("\n") == 1


def test_standard_input_is_a_corpus(runs: Any, tiny: Callable[..., Any]) -> None:
    text = (runs.folder / "names.txt").read_bytes()
    described = runs.works("data", "describe", "-", stdin=text).out
    assert described == runs.works("data", "describe", "names.txt").out
    assert runs.works("score", "net", "-", stdin=text).out == runs.works("score", "net", "names.txt").out
    trained = runs.works("train", "-", *tiny(), stdin=text)
    assert "on standard input" in trained.out
    weights = [(runs.folder / "runs" / run / "weights.safetensors").read_bytes() for run in ("net", "stdin-mlp-1")]
    assert weights[0] == weights[1]
    runs.works("train", "--resume", "stdin-mlp-1", stdin=text)
    runs.refused("train", "--resume", "stdin-mlp-1", stdin=b"a\nb\nc\n", says="standard input is not the text")
    runs.refused("train", "-", *tiny(), says="standard input is empty")
