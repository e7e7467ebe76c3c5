"""Make the numbers, transcripts and figures of README.md and the guides, by running the commands that they show.

    python scripts/make_docs.py [NAME ...]

In each of `PAGES`, the text between `<!-- begin NAME -->` and `<!-- end NAME -->` is replaced by the result of the
function NAME of this script. With names, only these are made, and no picture.
"""

import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import backlight
from backlight.figures import bigram_counts, new_figure
from backlight.models import NGram, NGramConfig
from backlight.text import Vocabulary, load_corpus

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md")), ROOT / "docs" / "course" / "README.md"]
IMAGES = ROOT / "docs" / "images"
MOLECULES = ROOT.parent / "shared" / "data" / "molecules_moses_50k.smi"
BACKLIGHT = str(Path(sys.executable).with_name("backlight"))

PYTHON = """\
import backlight

model = backlight.train("names", "mlp", progress=None)  # an included corpus; or a path, or a list of strings
print(model.sample(5, prefix="ma"))
print(model.score(["olivia", "xzqwv"]))  # negative log-likelihood of each, in nats
model.save("runs/mine")  # backlight.load("runs/mine") loads it again
"""

VALUE = """\
from backlight import Value

a, b = Value(2.0, label="a"), Value(-3.0, label="b")
c = (a * b + 10).tanh()
c.backward()
print(c.data, a.grad, b.grad)
"""

HEALTH = """\
import torch
from backlight.health import diagnose, watch

torch.manual_seed(0)
x = torch.randn(512, 20)
y = x[:, :10].argmax(1)
net = torch.nn.Sequential(torch.nn.Linear(20, 100), torch.nn.Tanh(), torch.nn.Linear(100, 10))
net[0].weight.data *= 40  # what could be wrong with that?
optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)

with watch(net, optimiser=optimiser) as watcher:
    for _ in range(200):
        rows = torch.randint(512, (32,))
        loss = torch.nn.functional.cross_entropy(net(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        watcher.step(loss)

print(diagnose(watcher.measurements()))
"""


def run(folder: Path, *arguments: str) -> str:
    """Run a `backlight` command in a folder, in a terminal of 80 columns, and return its output."""
    done = subprocess.run(
        [BACKLIGHT, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.rstrip().splitlines())


def transcript(folder: Path, *arguments: str) -> str:
    """Return a command and its output, as an indented block."""
    lines = [f"$ backlight {' '.join(map(typed, arguments))}", *run(folder, *arguments).splitlines()]
    return "\n".join(f"    {line}".rstrip() for line in lines)


def typed(word: str) -> str:
    """Return a word as a person would type it in a shell."""
    return f'"{word}"' if set(word) & set(" *()?|[]+") else word


def train(folder: Path) -> str:
    """Train on the names."""
    return transcript(folder, "train", "names", "--model", "mlp")


def _on_names(folder: Path) -> str:
    """Return the name of the run that `train` made, the first on the names."""
    return min((folder / "runs").glob("names-*"), key=lambda path: (path / "config.json").stat().st_mtime_ns).name


def sample(folder: Path) -> str:
    """Draw more samples."""
    return transcript(folder, "sample", _on_names(folder), "-n", "5", "--prefix", "mar", "--novel", "--seed", "7")


def shaped(folder: Path) -> str:
    """Draw samples that meet conditions."""
    conditions = (("--template", "ma??a"), ("--contains", "ann", "--ends-with", "a"), ("--pattern", "(jo|ca)[a-z]+son"))
    drawn = ((_on_names(folder), "-n", "4", *one, "--novel", "--seed", "7") for one in conditions)
    return "\n\n".join(transcript(folder, "sample", *arguments) for arguments in drawn)


def table(folder: Path) -> str:
    """Train on a column of a table."""
    names = load_corpus("names").items[:2000]
    rows = [f"{place},{name},{len(name)}" for place, name in enumerate(names, 1)]
    (folder / "ranking.csv").write_text("\n".join(["rank,name,letters", *rows]) + "\n", encoding="utf-8")
    described = transcript(folder, "data", "describe", "ranking.csv", "--column", "name")
    trained = ("train", "ranking.csv", "--column", "name", "--model", "ngram", "--samples", "5")
    return f"{described}\n\n{transcript(folder, *trained)}"


def labelled(folder: Path) -> str:
    """Train on a column of a table with labels, and sample by label."""
    packed = resources.files("backlight.text").joinpath("data", "names.tsv.xz").read_bytes()
    (folder / "births.tsv").write_bytes(lzma.decompress(packed))
    columns = ("--column", "name", "--label", "sex")
    trained = transcript(folder, "train", "births.tsv", *columns, "--model", "ngram", "--samples", "5")
    drawn = (
        transcript(folder, "sample", "births-ngram-1", "-n", "5", "--label", sex, "--novel", "--seed", "7")
        for sex in "FM"
    )
    (folder / "one.txt").write_text("elizabeth\n", encoding="utf-8")
    scored = (transcript(folder, "score", "births-ngram-1", "one.txt", "--label", sex) for sex in "FM")
    return "\n\n".join([trained, *drawn, *scored])


def column(folder: Path) -> str:
    """Train on the names of a table with labels, and sample one label."""
    packed = resources.files("backlight.text").joinpath("data", "names.tsv.xz").read_bytes()
    (folder / "births.tsv").write_bytes(lzma.decompress(packed))
    options = ("--column", "name", "--label", "sex", "--model", "ngram", "--name", "births", "--samples", "5")
    trained = transcript(folder, "train", "births.tsv", *options)
    return f"{trained}\n\n{transcript(folder, 'sample', 'births', '-n', '5', '--label', 'M', '--novel', '--seed', '7')}"


def molecules(folder: Path) -> str:
    """Train on molecules in SMILES, by atoms."""
    if not MOLECULES.is_file():
        sys.exit(f"the section molecules needs {MOLECULES}: 50,000 rows of the MOSES benchmark, one SMILES a line.")
    shutil.copyfile(MOLECULES, folder / "molecules.smi")
    return _first_and_last(transcript(folder, "train", "molecules.smi", "--minutes", "10", "--samples", "5"))


def _first_and_last(shown: str) -> str:
    """Leave out most evaluations of a training, between the second and the last."""
    lines = shown.splitlines()
    rows = [at for at, line in enumerate(lines) if re.match(r"[\d, ]+ +(-|\d\.\d{4}) +\d\.\d{4} +\d\.\d{3} ", line)]
    return "\n".join([*lines[: rows[2]], "        ...", *lines[rows[-1] :]])


def mixed(folder: Path) -> str:
    """Train a network mixed with the n-gram."""
    return transcript(folder, "train", "names", "--model", "mlp+ngram", "--samples", "0")


def score(folder: Path) -> str:
    """Score a list of names."""
    (folder / "guests.txt").write_text("olivia\nmatthew\nxzqwv\nelizabeth\nbrooklynn\nqwerty\n", encoding="utf-8")
    return transcript(folder, "score", _on_names(folder), "guests.txt")


def compare(folder: Path) -> str:
    """Compare all models: the table and its figure."""
    run(folder, "compare", "names")
    made = folder / "runs" / "names-compare-1"
    shutil.copyfile(made / "comparison.png", IMAGES / "comparison.png")
    return (made / "comparison.md").read_text(encoding="utf-8").rstrip()


def byte_pairs(folder: Path) -> str:
    """Train a GPT of about 200,000 parameters on characters and one on byte pairs; return their losses as a table."""
    del folder
    rows = ["| tokens | parameters | n_embd | train | dev | test | seconds |", "|---|---|---|---|---|---|---|"]
    for tokens, n_embd in (("characters", 64), ("bpe:512", 56)):  # rows of 512 tokens leave less for the blocks
        result = backlight.train(
            "names", model="gpt", tokens=tokens, n_embd=n_embd, steps=6_000, dropout=0.03, progress=None
        ).result
        assert result is not None
        losses = " | ".join(f"{result[part]:.4f}" for part in ("train_nats", "dev_nats", "test_nats"))
        rows.append(f"| {tokens} | {result['parameters']:,} | {n_embd} | {losses} | {result['seconds']:.0f} |")
    return "\n".join(rows)


def counted(folder: Path) -> str:
    """Fit n-gram models of each order and smoothing, and return their losses as a table."""
    rows = ["| model | parameters | context | train | dev | test | seconds |", "|---|---|---|---|---|---|---|"]

    def row(name: str, *options: str) -> None:
        figures = json.loads(run(folder, "train", "names", "--samples", "0", "--json", *options).splitlines()[-1])
        nats = " | ".join(f"{figures[part]:.4f}" for part in ("train_nats", "dev_nats", "test_nats"))
        rows.append(
            f"| {name} | {figures['parameters']:,} | {figures['context']} | {nats} | {figures['seconds']:.1f} |"
        )

    for n in range(1, 7):
        row(f"{n}-gram, add-k, k tuned on dev", "--model", "ngram", "--order", str(n), "--smoothing", "add-k")
    for n in range(2, 7):
        row(f"{n}-gram, Kneser-Ney", "--model", "ngram", "--order", str(n))
    return "\n".join(rows)


def explain(folder: Path) -> str:
    """Explain the gradients of the neuron of the first lecture."""
    at = "x1=2,x2=0,w1=-3,w2=1,b=6.8813735870195432"
    for theme in ((), ("--dark",)):
        picture = IMAGES / f"explain_neuron{'-dark' * len(theme)}.png"
        run(folder, "explain", "n = x1*w1 + x2*w2 + b; o = tanh(n)", "--at", at, "--figure", str(picture), *theme)
    return transcript(folder, "explain", "tanh(x1*w1 + x2*w2 + b)", "--at", at)


def lessons(folder: Path) -> str:
    """List the lessons."""
    return transcript(folder, "lessons")


def python(folder: Path) -> str:
    """Train from Python."""
    return program(folder, PYTHON)


def value(folder: Path) -> str:
    """Differentiate an expression."""
    return program(folder, VALUE)


def program(folder: Path, text: str) -> str:
    """Return a program as a code block, and its output as an indented block."""
    said = said_by(folder, text).replace("\n", "\n    ").replace("    \n", "\n")
    return f"```python\n{text}```\n\n    {said}"


def health(folder: Path) -> str:
    """Watch a faulty PyTorch network."""
    return program(folder, HEALTH)


def said_by(folder: Path, text: str) -> str:
    """Run a program, and return its output."""
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def picture() -> None:
    """Draw the bigram counts of the names."""
    corpus = load_corpus("names")
    vocabulary = Vocabulary.of(corpus.items)
    config = NGramConfig(vocabulary_size=vocabulary.size, order=2, smoothing="add-k", k=0)
    counts = NGram(config).fit(vocabulary.encode_items(corpus.items)).counts(2)
    labels = [vocabulary.label(token) for token in range(vocabulary.size)]
    with new_figure(11, 11) as figure:
        bigram_counts.draw(figure.subplots(), counts, labels)
        IMAGES.mkdir(exist_ok=True)
        figure.savefig(IMAGES / "bigram_counts.png", dpi=90)


SECTIONS: tuple[Callable[[Path], str], ...] = (
    train, sample, shaped, table, labelled, column, molecules, mixed, score, compare, byte_pairs, counted, explain,
    health, lessons, python, value,
)  # fmt: skip


def main() -> None:
    """Fill the sections of all pages."""
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    wanted = sys.argv[1:]
    if not wanted:
        picture()
    with tempfile.TemporaryDirectory() as folder:
        for section in SECTIONS:
            name = section.__name__
            if wanted and name not in wanted:
                continue
            print(f"{name} ...", flush=True)
            pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
            places = [page for page, text in texts.items() for _ in pattern.findall(text)]
            if len(places) != 1:
                sys.exit(f"exactly one page must have the section {name}; got {len(places)}.")
            made = section(Path(folder))
            texts[places[0]] = pattern.sub(lambda match, made=made: match[1] + made + "\n" + match[2], texts[places[0]])
    for page, text in texts.items():
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
