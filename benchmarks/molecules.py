"""What `--model auto` makes of a file of molecules: how many of its samples are valid, unique and novel.

    python -m benchmarks.molecules molecules.smi [--minutes 10] [--samples 10000] [--write FILE]

Valid is what RDKit reads and sanitises; unique and novel are shares of the valid ones, by canonical SMILES. RDKit is
needed for these only: `pip install rdkit`, or write the samples, and judge them elsewhere with --judge FILE.
"""

import argparse
import time
from importlib import import_module
from pathlib import Path
from typing import Any

TEMPERATURE = 1.0


def sampled(file: str, minutes: float, count: int) -> list[str]:
    """Choose, train and sample, and print the times."""
    import backlight

    wall, cpu = time.perf_counter(), time.process_time()
    model = backlight.train(file, "auto", minutes=minutes)
    result = model.result or {}
    print(
        f"{model.run.config.model} {dict(model.run.config.settings)}: dev {result['dev_nats']:.4f}, test "
        f"{result['test_nats']:.4f}; {time.perf_counter() - wall:.0f} s, {time.process_time() - cpu:.0f} s of "
        "processor time, with reading, trials and evaluation",
        flush=True,
    )
    return model.sample(count, temperature=TEMPERATURE, seed=1)


def judged(samples: list[str], known: list[str], rdkit: Any) -> str:
    """Return the shares of samples that are valid, unique and novel."""
    import_module("rdkit.RDLogger").DisableLog("rdApp.*")
    molecules = (rdkit.MolFromSmiles(text) for text in samples)
    valid = [rdkit.MolToSmiles(one) for one in molecules if one is not None and one.GetNumAtoms()]
    different = set(valid)
    training = {rdkit.CanonSmiles(text) for text in known}
    novel = sum(one not in training for one in different)
    return (
        f"{len(samples):,} samples at temperature {TEMPERATURE:g}: {len(valid) / len(samples):.1%} valid, "
        f"{len(different) / max(len(valid), 1):.1%} of these unique, {novel / max(len(different), 1):.1%} of those "
        "novel"
    )


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="molecules in SMILES, one a line")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--write", type=Path, help="write the samples to this file")
    parser.add_argument("--judge", type=Path, help="train nothing, and judge the samples in this file")
    given = parser.parse_args()
    if given.judge is None:
        samples = sampled(given.file, given.minutes, given.samples)
        if given.write is not None:
            given.write.write_text("".join(text + "\n" for text in samples), encoding="utf-8")
    else:
        samples = given.judge.read_text(encoding="utf-8").splitlines()
    try:
        rdkit = import_module("rdkit.Chem")
    except ImportError:
        print("RDKit is not installed, so the samples are not judged: pip install rdkit, or --write FILE.")
        return
    known = [line.split()[0] for line in Path(given.file).read_text(encoding="utf-8").splitlines() if line.strip()]
    print(judged(samples, known, rdkit))


if __name__ == "__main__":
    main()
