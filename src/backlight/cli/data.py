"""`backlight data`: list the corpora, and describe a corpus or a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from backlight.cli.options import READING, grouped, source_of
from backlight.cli.output import Json, console, one_line, print_json, shortened, table
from backlight.text import CORPORA, Items, Mode, Reading, describe, load_corpus, spelling_notes
from backlight.text.labels import spelled, split

_SHOWN = 60  # characters of an item that are printed

app = typer.Typer(
    help="List the corpora, or describe a corpus or a file.",
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
