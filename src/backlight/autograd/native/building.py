"""Compile the kernels, at installation or by running this file.

This needs only a C compiler. Without the kernels, NumPy does all the work.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import zlib
from pathlib import Path

HERE = Path(__file__).parent
TOKENIZERS = HERE.parents[1] / "text" / "tokenizers" / "native"
LIBRARY = HERE / "_kernels.so"
VALUE = HERE.parent / "value_native"
VALUE_LIBRARY = VALUE / "_values.so"

FLAGS = (
    "-O3",
    "-std=gnu11",
    "-fPIC",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fvisibility=default",
)
X86_LEVELS = {4: ("-march=x86-64-v4", "-mprefer-vector-width=512"), 3: ("-march=x86-64-v3",), 1: ()}


def fingerprint() -> int:
    """Return a checksum of the kernels' sources. A library that was built from other sources is not used."""
    sources = sorted(source for folder in (HERE, TOKENIZERS) for source in folder.glob("*.[ch]"))
    return zlib.crc32(b"".join(source.read_bytes() for source in sources)) >> 1


def build_value(target: Path = VALUE_LIBRARY) -> None:
    """Compile the class Value, which needs the headers of Python as well.

    Raises:
        OSError: there is no compiler, or the system is Windows.
        subprocess.CalledProcessError: the compiler failed, or Python's headers are missing.
    """
    if sys.platform == "win32":
        raise OSError("the class Value cannot be built in C on Windows yet")
    sources = sorted(VALUE.glob("*.[ch]"))
    fingerprint = zlib.crc32(b"".join(source.read_bytes() for source in sources)) >> 1
    compiler = shlex.split(os.environ.get("CC", "cc"))
    # -ffp-contract=off: the same rounding as in Python
    flags = ["-O3", "-std=gnu11", "-fPIC", "-fno-math-errno", "-ffp-contract=off", f"-DFINGERPRINT={fingerprint}"]
    flags += ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    headers = [f"-I{path}" for path in {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "values.so"
        command = [*compiler, *flags, *headers, "-shared", str(VALUE / "module.c"), "-o", str(made), "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        _replace(target, made)


def _replace(target: Path, made: Path) -> None:
    """Replace a library atomically: one that is loaded must not change."""
    temporary = target.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(made.read_bytes())
    temporary.replace(target)


def build(target: Path = LIBRARY) -> None:
    """Compile the kernels for each instruction set, and the tokenizers, into one library.

    Raises:
        OSError: there is no compiler (`cc`, or what `CC` names), or the system is Windows.
        subprocess.CalledProcessError: the compiler failed; its messages are in `stderr`.
    """
    if sys.platform == "win32":
        raise OSError("the kernels cannot be built on Windows yet")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    levels = X86_LEVELS if _target(compiler).startswith("x86_64") else {1: ()}
    with tempfile.TemporaryDirectory() as folder:
        objects = [f"{folder}/level_{level}.o" for level in levels]
        commands = [
            [
                *compiler,
                *FLAGS,
                *own,
                f"-DLEVEL={level}",
                f"-DFINGERPRINT={fingerprint()}",
                "-c",
                str(HERE / "kernels.c"),
                "-o",
                made,
            ]
            for (level, own), made in zip(levels.items(), objects, strict=True)
        ]
        running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]  # noqa: S603
        messages = [process.communicate()[1] for process in running]
        for command, process, message in zip(commands, running, messages, strict=True):
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, command, stderr=message)
        library = f"{folder}/kernels.so"
        once = [str(HERE / "levels.c"), str(HERE / "pool.c"), str(TOKENIZERS / "tokenizers.c")]
        link = [*compiler, *FLAGS, "-shared", "-pthread", *once, *objects, "-o", library, "-lm"]
        subprocess.run(link, check=True, capture_output=True, text=True)  # noqa: S603
        _replace(target, Path(library))


def _target(compiler: list[str]) -> str:
    """Return the compiler's target, such as aarch64-linux-gnu, which may differ from this machine."""
    return subprocess.run([*compiler, "-dumpmachine"], check=True, capture_output=True, text=True).stdout  # noqa: S603


def main() -> int:
    """Build everything and print the results; return 1 if something failed."""
    failed = 0
    for what, instead, make, library in (
        ("the kernels were", "NumPy", build, LIBRARY),
        ("the class Value was", "the one in Python", build_value, VALUE_LIBRARY),
    ):
        try:
            make()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{what} not built in C; Backlight will use {instead}: {error}", file=sys.stderr)  # noqa: T201
            print(getattr(error, "stderr", ""), file=sys.stderr)  # noqa: T201
            failed = 1
        else:
            print(f"built {library}")  # noqa: T201
    return failed


if __name__ == "__main__":
    sys.exit(main())
