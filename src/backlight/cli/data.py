"""`backlight data`: list the corpora, describe a corpus or a file, and encode texts as token files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from backlight.cli.options import ENCODING, READING, grouped, source_of
from backlight.cli.output import Json, command, console, one_line, print_json, shortened, table, visible
from backlight.core import DataError
from backlight.runs.atomic import placed_atomically
from backlight.text import CORPORA, Items, Mode, Reading, describe, load_corpus, spelling_notes
from backlight.text.labels import spelled, split
from backlight.text.records.reading import END_OF_TEXT
from backlight.text.token_files.folder import PARTS, TokenFiles
from backlight.text.token_files.folder import Part as TokenPart
from backlight.text.token_files.names import are_token_files
from backlight.text.token_files.writing import EncodeConfig, encode_files

_SHOWN = 60  # characters of an item that are printed

app = typer.Typer(
    help="List the corpora, describe a corpus or a file, or encode texts as token files.",
    no_args_is_help=False,
    epilog="Example:  backlight data describe names.txt",
)


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_corpora()


@app.command("list", epilog="Example:  backlight data list")
def list_corpora(json_output: Json = False) -> None:
    """List the named corpora."""
    rows = table("name", "kind", "mode", "bytes", "what", text=("name", "kind", "mode", "what"))
    for info in CORPORA.values():
        rows.add_row(info.name, info.kind, info.mode, f"{info.size:,}", info.description)
    out = console(json_output=json_output)
    out.print(rows)
    out.print(
        "\nAny UTF-8 file works too: one item per line, CSV, TSV, JSON, FASTA, SMILES, or running text; so does - for"
        "\nstandard input."
    )
    if json_output:
        fields = ("name", "kind", "mode", "description", "licence", "size")
        print_json({"corpora": [{name: getattr(info, name) for name in fields} for info in CORPORA.values()]})


@app.command("describe", epilog="Example:  backlight data describe names.txt")
@grouped
def describe_corpus(
    *,
    source: Annotated[
        list[str],
        typer.Argument(help="A corpus's name, files or folders, or - for standard input.", metavar="FILE"),
    ],
    mode: Annotated[Mode | None, typer.Option(help="One item per line, or one stream of text.")] = None,
    reading: Annotated[dict[str, Any], READING],
    json_output: Json = False,
) -> None:
    """Describe a corpus or a file: items, characters, lengths, duplicates, vocabulary."""
    name, also = source_of(source)
    files: Any = [Path(one) for one in (name, *also)] if also else name
    corpus = load_corpus(files, mode=mode, reading=Reading(**reading))
    notes = [*corpus.notes, *([] if corpus.reading.normalise else spelling_notes(Items.of(corpus.items), name))]
    out = console(json_output=json_output)
    for note in notes:
        out.print(one_line(note), soft_wrap=True)
    found, labels = describe(corpus), corpus.reading.labels
    rows = table("what", "how many", text=("what", "how many"))
    for what, figure in (
        ("items", f"{found.items:,} ({found.distinct:,} distinct, {found.duplicates:,} copies)"),
        ("characters", f"{found.characters:,} ({found.targets:,} targets)"),
        (
            "lengths",
            f"{found.shortest} to {found.longest}, mean {found.mean_length:.1f}, median {found.median_length:g}",
        ),
        ("longest", ", ".join(shortened(spelled(item, labels), _SHOWN) for item in found.longest_items)),
        ("vocabulary", f"{found.vocabulary_size}, including the boundary"),
        ("most frequent", "  ".join(f"{split(one, labels)[0] or one!r} {count:,}" for one, count in found.counts[:8])),
        ("loss of a uniform guess", f"ln {found.vocabulary_size} = {found.uniform_nats:.4f} nats per character"),
    ):
        rows.add_row(what, figure)
    out.print(rows)
    if json_output:
        print_json({**found.to_json(), "notes": notes})


@app.command("encode", epilog="Example:  backlight data encode texts.jsonl --field text --tokens gpt2 --out tokens")
@grouped
def encode(
    *,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="A corpus's name, or files or folders: text, JSON lines or Parquet, also as .gz.", metavar="FILE"
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to make.", metavar="FOLDER")],
    encoding: Annotated[dict[str, Any], ENCODING],
    reading: Annotated[dict[str, Any], READING.only("format", "field", "column", "delimiter")],
    json_output: Json = False,
) -> None:
    """Encode texts as token files, which nanoGPT, llm.c and `backlight train FOLDER` read."""
    how = EncodeConfig(**encoding)
    with placed_atomically(out) as folder:
        folder.mkdir()
        about = encode_files(sources, folder, how, Reading(**reading))
    printed = console(json_output=json_output)
    printed.print(
        f"{one_line(str(out))}: {about['vocabulary_size']:,} tokens of {one_line(how.tokens)}, end token "
        f"{about['end_token']}, as {about['dtype']} in the layout {how.layout}",
        soft_wrap=True,
    )
    rows = table("part", "files", "tokens", "documents", "characters", "bytes", text=("part",))
    for part in PARTS:
        of = about[part]
        rows.add_row(part, str(len(of["shards"])), *(f"{of[name]:,}" for name in _COUNTED))
    printed.print(rows)
    printed.print(f"\nTrain on it:  {command('train', out, '--model', 'gpt')}", soft_wrap=True)
    if json_output:
        print_json(about)


@app.command("decode", epilog="Example:  backlight data decode tokens --part dev")
def decode(
    *,
    source: Annotated[str, typer.Argument(help="A folder of token files, or one file.", metavar="FOLDER")],
    part: Annotated[TokenPart, typer.Option(help="train, dev or test.")] = "train",
    count: Annotated[int, typer.Option(help="How many tokens to print, from the first.", min=1)] = 200,
    tokens: Annotated[str | None, typer.Option(help="gpt2, if there is no tokenizer beside the files.")] = None,
) -> None:
    """Print the text of the first tokens of a part, with <|endoftext|> between documents."""
    if not are_token_files(source):
        raise DataError(f"decode reads token files; {source!r} is none. Make some: backlight data encode.")
    files = TokenFiles(source, tokens=tokens)
    printed = console()
    printed.print(files.note, style="dim", soft_wrap=True)
    between = f"\n{END_OF_TEXT}\n"
    printed.print(visible(between.join(files.documents(part, count))), soft_wrap=True)


_COUNTED = ("tokens", "documents", "characters", "bytes")
