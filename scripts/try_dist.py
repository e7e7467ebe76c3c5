"""Install each file of dist/ in a new environment, use it, uninstall it, and check that nothing is left.

Usage: python scripts/try_dist.py, after `make dist`.
"""

import os
import subprocess
import sys
import tempfile
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DIST = Path(__file__).parents[1] / "dist"
NAMES = ["emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "emily", "ella", "camila"]
HAS_KERNELS = "from backlight.autograd.native import library; print(library() is not None)"


def try_one(artifact: Path) -> None:
    """Install one file, train, sample, score and uninstall."""
    with tempfile.TemporaryDirectory() as folder:
        _try_in(Path(folder), artifact.resolve())


def _try_in(folder: Path, artifact: Path) -> None:
    venv.create(folder / "env", with_pip=True, symlinks=True)
    scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    python, backlight = scripts / "python", scripts / "backlight"
    before = _files(folder / "env")
    _run(folder, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", artifact)
    (folder / "names.txt").write_text("\n".join(NAMES * 4), encoding="utf-8")
    _run(folder, backlight, "train", "names.txt", "--hidden", "8", "--steps", "20", "--name", "first")
    samples = _run(folder, backlight, "sample", "first").splitlines()
    scores = _run(folder, backlight, "score", "first", "names.txt").splitlines()
    assert len(samples) >= 10, samples
    assert len(scores) >= len(NAMES), scores
    kernels = _run(folder, python, "-c", HAS_KERNELS).strip()
    if artifact.suffix == ".whl":
        assert kernels == str("-none-any" not in artifact.name), kernels
    _run(folder, python, "-m", "pip", "uninstall", "--yes", "--quiet", "backlight")
    left = [path for path in _files(folder / "env") - before if "backlight" in path.casefold()]
    assert left == [], left
    print(f"{artifact.name}: installs, trains, samples, scores; compiled kernels: {kernels}; uninstalls completely")


def _files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def _run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """Check each file."""
    artifacts = sorted(DIST.iterdir()) if DIST.is_dir() else []
    if not artifacts:
        sys.exit("dist/ is empty: run `make dist` first.")
    with ThreadPoolExecutor() as pool:
        list(pool.map(try_one, artifacts))


if __name__ == "__main__":
    main()
