"""Token files on the command line: encoded, printed, trained on, resumed; and what is refused."""

import json
import os
import signal
import subprocess

import pytest
from tests.end_to_end.conftest import Shell

TINY = (
    "--model", "gpt", "--n-embd", "8", "--n-layer", "1", "--n-head", "2", "--context", "8", "--batch-size", "4",
    "--samples", "1",
)  # fmt: skip


@pytest.fixture
def text(shell: Shell) -> str:
    lines = [json.dumps({"text": f"Document {n} is about {n * n}.", "id": n}) for n in range(300)]
    (shell.folder / "texts.jsonl").write_text("\n".join(lines))
    return "texts.jsonl"


def test_texts_are_encoded_trained_on_and_resumed(shell: Shell, text: str) -> None:
    out = shell.works("data", "encode", text, "--tokens", "characters", "--out", "tokens", "--val", "0.2").out
    assert "as uint16 in the layout llm.c" in out
    assert "backlight train tokens --model gpt" in out
    printed = shell.works("data", "decode", "tokens", "--count", "60").out
    assert "Document 0 is about 0.\n<|endoftext|>\n" in printed
    out = shell.works("train", "tokens", *TINY, "--steps", "4", "--name", "a").out
    assert out.startswith("gpt on tokens: ")
    assert "nats per token" in out
    assert "bits per byte" in out
    assert "all 4 steps are done" in shell.works("train", "--resume", "a", "--samples", "0").out
    shell.works("train", "tokens", "--from", "a", "--steps", "2", "--name", "b", "--samples", "0")
    shell.works("train", "--from", "b", "--steps", "2", "--name", "c", "--samples", "0")
    shell.works("health", "a")
    shell.works("sample", "a", "-n", "1")
    (shell.folder / "tokens" / "train_000000.bin").unlink()
    shell.refused("train", "--from", "a", says="there is no")


def test_a_preset_says_what_it_sets(shell: Shell, text: str) -> None:
    shell.works("data", "encode", text, "--tokens", "bpe:280", "--out", "tokens", "--layout", "nanogpt")
    out = shell.works("train", "tokens", "--preset", "gpt2-124m", "--engine", "native", *TINY, "--steps", "1").out
    assert "Preset gpt2-124m, GPT-2 of lecture 9" in out
    assert "steps 1 (given, in place of 19,073)" in out
    assert "engine native (given, in place of torch)" in out
    shell.refused("train", "--preset", "gpt2-124m", says="has no text of its own")
    shell.refused("train", "--preset", "gpt2", says="Did you mean gpt2-124m?")
    shell.refused("train", "tokens", "--preset", "gpt2-124m", "--model", "gru", says="is of a gpt")
    shell.refused("train", "--preset", "gpt2-124m", "--resume", "tokens-gpt-1", says="got preset")
    shell.refused("train", "--preset", "gpt2-124m", "--from", "tokens-gpt-1", says="preset is no option")


def test_what_cannot_be_encoded_or_read_is_refused(shell: Shell, text: str) -> None:
    shell.refused("data", "encode", "names.txt", "--out", text, "--tokens", "characters", says="texts.jsonl")
    shell.refused("data", "encode", "gone.txt", "--out", "out", says="there is no 'gone.txt'")
    shell.refused("data", "encode", text, "--out", "out", "--tokens", "words", says="words")
    shell.refused("data", "encode", text, "--out", "out", "--field", "txt", "--tokens", "bpe:256", says="txt")
    shell.refused("data", "encode", text, "--out", "out", "--val", "1", says="val must be")
    shell.refused("data", "decode", text, says="is none")
    (shell.folder / "train.bin").write_bytes(bytes(101))
    shell.refused("train", "train.bin", "--model", "gpt", says="Is it complete?")
    shell.refused("compare", "train.bin", says="has token files")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_an_encoding_that_is_killed_leaves_no_folder(shell: Shell) -> None:
    names = shell.folder / "names.fifo"
    os.mkfifo(names)  # whoever opens it waits for the other side: here the encoding has begun, and cannot end
    options = ("--tokens", "characters", "--processes", "2")
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = shell.start("data", "encode", "names.fifo", "--out", "tokens", *options, **nowhere)
    with names.open("wb"):
        begun = [path.name for path in shell.folder.iterdir() if path.name.endswith(".backlight-partial")]
        process.kill()
        process.wait()
    assert len(begun) == 1
    assert not (shell.folder / "tokens").exists()
    (shell.folder / "texts.txt").write_text("A line of a text.\n" * 9)
    shell.works("data", "encode", "texts.txt", "--out", "tokens", *options)
    assert not [path for path in shell.folder.iterdir() if path.name.endswith(".backlight-partial")]
