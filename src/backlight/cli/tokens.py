"""`backlight tokens`: show a text as byte-pair tokens."""

from collections import Counter
from itertools import cycle
from typing import Annotated

import typer
from rich.cells import cell_len
from rich.text import Text

from backlight.cli.output import Json, console, one_line, print_json, table
from backlight.core import ConfigError, DataError
from backlight.text import CORPORA, load_corpus
from backlight.text.reading import read_file, read_stream
from backlight.text.tokenizers import BPETokenizer, shown

_COLOURS = ("bright_cyan", "bright_yellow", "bright_green", "bright_magenta", "bright_white")
_SEPARATOR = "\N{BOX DRAWINGS LIGHT VERTICAL}"  # between tokens where there are no colours
_MOST = 2_000  # tokens that are shown
_DEFAULT_CORPUS, _DEFAULT_SIZE = "shakespeare", 512


def tokens(
    text: Annotated[str | None, typer.Argument(help="The text to encode.", metavar="TEXT")] = None,
    file: Annotated[
        str | None, typer.Option(help="Read the text from a file, or - for standard input.", metavar="FILE")
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            "-t",
            metavar="FILE",
            help="A tokenizer.json, its folder, a folder with vocab.json and merges.txt, tiktoken's ranks, or gpt2.",
        ),
    ] = None,
    train: Annotated[str | None, typer.Option(help="Train a tokenizer on a file or a corpus.", metavar="FILE")] = None,
    size: Annotated[int | None, typer.Option(help="Vocabulary size, including the 256 bytes. Default: 512.")] = None,
    pattern: Annotated[
        str | None, typer.Option(help="Pattern that splits the text: gpt2, gpt4, none, or a regular expression.")
    ] = None,
    allow_special: Annotated[
        bool, typer.Option("--allow-special", help="Encode <|endoftext|> and the like as special tokens.")
    ] = False,
    rows: Annotated[int, typer.Option(help="Maximum number of rows in the table.", min=0)] = 30,
    save: Annotated[
        str | None, typer.Option(help="Save the tokenizer: NAME.json, NAME.tiktoken, or a folder.", metavar="FILE")
    ] = None,
    json_output: Json = False,
) -> None:
    """Show a text as tokens, with the merges that produced them."""
    given = _given(text, file)
    if given is None and save is None:
        raise ConfigError("a text is needed; got none. Give TEXT or --file FILE.")
    used, name = _tokenizer(tokenizer, train, size, pattern)
    out = console(json_output=json_output)
    out.print(f"{name}: {used.size:,} tokens, {len(used.table.merges):,} merges", style="bold", soft_wrap=True)
    if save is not None:
        used.save(save)
        out.print(f"saved as {one_line(save)}", soft_wrap=True)
    if given is None:
        return
    ids = _encoded(used, given, allow_special=allow_special)
    coloured = out.color_system is not None and not out.no_color
    out.print()
    out.print(_drawn(used, ids[:_MOST], width=out.width, coloured=coloured))
    if len(ids) > _MOST:
        out.print(f"... and {len(ids) - _MOST:,} more tokens", style="dim")
    data = given.encode()
    per_token = f": {len(given) / len(ids):.2f} characters per token" if ids else ""
    out.print(f"\n{len(ids):,} tokens, {len(given):,} characters, {len(data):,} bytes{per_token}\n")
    counts = Counter(ids)
    shown_rows = table("id", "times", "token", "merges, by number", text=("token", "merges, by number"))
    for token, times in list(counts.items())[:rows]:
        shown_rows.add_row(str(token), f"{times:,}", used.label(token), _history(used, token))
    if rows and counts:
        out.print(shown_rows)
        if len(counts) > rows:
            out.print(f"... and {len(counts) - rows:,} more distinct tokens; --rows shows them", style="dim")
    if json_output:
        print_json(
            {
                "tokenizer": name, "size": used.size, "pattern": used.table.pattern, "characters": len(given),
                "bytes": len(data), "ids": ids, "tokens": [_figures(used, token, counts[token]) for token in counts],
            }
        )  # fmt: skip


def _given(text: str | None, file: str | None) -> str | None:
    if text is not None and file is not None:
        raise ConfigError("the text must be given once; got TEXT and --file. Leave one of them out.")
    if file is None:
        return text
    content = read_stream(None) if file == "-" else read_file(file)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"a text must be UTF-8; {_source(file)} has the byte 0x{content[error.start]:02x} at byte {error.start}."
            " Save it as UTF-8."
        ) from None


def _tokenizer(path: str | None, corpus: str | None, size: int | None, pattern: str | None) -> tuple[BPETokenizer, str]:
    """Return the tokenizer that was asked for, and a description of it."""
    if path is not None:
        if corpus is not None or size is not None:
            raise ConfigError("--tokenizer excludes --train and --size; got both. Leave one out.")
        return BPETokenizer.load(path, pattern=pattern), one_line(path)
    learnt_from = corpus or _DEFAULT_CORPUS
    texts = load_corpus(learnt_from, mode=None if learnt_from in CORPORA else "text").items
    made = BPETokenizer.train(
        texts, _DEFAULT_SIZE if size is None else size, pattern=None if pattern == "none" else pattern or "gpt2"
    )
    hint = "" if corpus else " (for another, use --train FILE or --tokenizer gpt2)"
    return made, f"trained on {_source(learnt_from)}{hint}"


def _encoded(tokenizer: BPETokenizer, text: str, *, allow_special: bool) -> list[int]:
    if not allow_special:
        for name in tokenizer.special_tokens:
            if name in text:
                raise ConfigError(
                    f"a special token in a text must be allowed; got {name!r} at character {text.index(name) + 1}. Use"
                    " --allow-special, or remove it."
                )
    found: list[int] = tokenizer.encode(text, allowed_special="all" if allow_special else ()).tolist()
    return found


def _drawn(tokenizer: BPETokenizer, ids: list[int], *, width: int, coloured: bool) -> Text:
    """Return the tokens in order, each set off from the next. A line feed is shown, and ends the line.

    Lines are broken between tokens, so that no token seems to be two.
    """
    drawn, used = Text(), 0
    for i, (token, colour) in enumerate(zip(ids, cycle(_COLOURS), strict=False)):
        label = tokenizer.label(token)
        bare = label.replace("\N{OPEN BOX}", " ")
        label = bare if coloured else _SEPARATOR * (i > 0) + label.replace(_SEPARATOR, "\\u2502")
        if used and used + cell_len(label) > width:
            drawn.append("\n")
            used = 0
        drawn.append(label, style=f"black on {colour}" if coloured else None)
        used += cell_len(label)
        if tokenizer.token(token).endswith(b"\n"):
            drawn.append("\n")
            used = 0
    return drawn


def _history(tokenizer: BPETokenizer, token: int) -> str:
    """Return the merges that produce a token, in the order in which they were learnt and are applied."""
    if token in tokenizer.special_tokens.values():
        return "a special token"
    history = tokenizer.table.history(tokenizer.token(token))
    spelled = (f"{number}: {shown(left)} + {shown(right)}" for number, left, right in history)
    return "   ".join(spelled) or "a byte"


def _figures(tokenizer: BPETokenizer, token: int, times: int) -> dict[str, object]:
    data = tokenizer.token(token)
    special = token in tokenizer.special_tokens.values()
    history = [] if special else tokenizer.table.history(data)
    return {
        "id": token, "bytes": data.hex(), "label": tokenizer.label(token), "special": special, "times": times,
        "merges": [{"number": number, "left": left.hex(), "right": right.hex()} for number, left, right in history],
    }  # fmt: skip


def _source(given: str) -> str:
    return "standard input" if given == "-" else one_line(given)
