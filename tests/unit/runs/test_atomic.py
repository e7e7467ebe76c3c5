"""A write that fails changes nothing, says so in one line, and leaves nothing behind."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backlight.core import RunError
from backlight.runs import atomic
from backlight.runs.atomic import create_folder_atomically, sweep, write_atomically

REFUSALS = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "quota",
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.EROFS: "the disk can only be read",
    errno.EIO: "the disk reports an error",
    errno.ENODEV: "no such device",
}
STEPS = ["open", "write", "fsync", "replace"]


def refuse(monkeypatch: pytest.MonkeyPatch, call: str, code: int, after: int = 0) -> None:
    """Let a system call fail once, after so many good uses; a failing write takes half of the data first."""
    real, uses = getattr(os, call), 0

    def failing(*args, **kwargs):
        nonlocal uses
        uses += 1
        if uses == after + 1:
            if call == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, call, failing)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def one_line(error: pytest.ExceptionInfo[RunError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 1000], ids=len)
def test_the_file_holds_what_was_written_and_nothing_else_is_left(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"something longer or shorter, from before")
    write_atomically(path, data)
    assert path.read_bytes() == data
    assert names(tmp_path) == ["file"]


def test_a_reader_of_the_old_file_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_the_bytes_are_on_the_disk_before_the_name_points_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _real=real, _name=name: (calls.append(_name), _real(*a)))
    write_atomically(tmp_path / "file", b"data")
    assert calls == ["fsync", "replace"]


def test_a_system_that_takes_one_byte_at_a_time_gets_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:1]))
    write_atomically(tmp_path / "file", b"one by one")
    assert (tmp_path / "file").read_bytes() == b"one by one"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("code", REFUSALS, ids=errno.errorcode.get)
def test_a_refusal_leaves_the_old_file_and_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    refuse(monkeypatch, step, code)
    with pytest.raises(RunError) as error:
        write_atomically(path, b"new and longer")
    message = one_line(error)
    assert str(path) in message
    assert REFUSALS[code] in message
    assert "the old file is unchanged" in message
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["weights"]


def test_without_an_old_file_a_refusal_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "fsync", errno.ENOSPC)
    with pytest.raises(RunError, match="nothing was written") as error:
        write_atomically(tmp_path / "file", b"new")
    assert "the old file" not in one_line(error)
    assert names(tmp_path) == []


def test_an_interrupt_in_the_middle_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="folder does not exist") as error:
        write_atomically(tmp_path / "gone" / "file", b"new")
    one_line(error)


def test_a_folder_in_the_file_s_place(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(RunError, match="in the way"):
        write_atomically(tmp_path / "file", b"new")
    assert names(tmp_path) == ["file"]


def test_a_path_with_a_line_break_still_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError) as error:
        write_atomically(tmp_path / "a\nb\udcff" / "file", b"new")
    assert "\\n" in one_line(error)
    one_line(error).encode()


@pytest.fixture
def anybody() -> Iterator[None]:
    """Give up root's rights for a test: root may write anywhere."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    yield
    os.seteuid(own)


@pytest.mark.usefixtures("anybody")
def test_no_permission() -> None:
    with tempfile.TemporaryDirectory() as made:  # pytest's own folders are closed to others from the top
        folder = Path(made)
        write_atomically(folder / "file", b"old")
        folder.chmod(0o500)
        with pytest.raises(RunError, match="you may not write there"):
            write_atomically(folder / "file", b"new")
        folder.chmod(0o700)
        assert (folder / "file").read_bytes() == b"old"
        assert names(folder) == ["file"]


def leftover(folder: Path) -> Path:
    path = folder / f".0123{atomic._SUFFIX}"
    path.write_bytes(b"half")
    return path


def test_a_sweep_takes_what_a_dead_process_left_and_nothing_else(tmp_path: Path) -> None:
    file, folder = leftover(tmp_path), tmp_path / f".4567{atomic._SUFFIX}"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    for name in ("weights", ".lock", "notes.backlight-partial"):
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert not file.exists()
    assert not folder.exists()
    assert names(tmp_path) == [".lock", "notes.backlight-partial", "weights"]


def test_a_sweep_spares_what_a_living_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync_while_another_sweeps(descriptor: int) -> None:
        sweep(tmp_path)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync_while_another_sweeps)
    write_atomically(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"data"
    create_folder_atomically(tmp_path / "run", {"config": b"data"})
    assert (tmp_path / "run" / "config").read_bytes() == b"data"


def test_a_sweep_between_making_and_locking_costs_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, locked = atomic.lock, []

    def lock_too_late(descriptor: int) -> None:
        locked.append(descriptor)
        if len(locked) in {1, 4}:  # the first try of each; the calls after them are the sweep's and the second try's
            sweep(tmp_path)
        real(descriptor)

    monkeypatch.setattr(atomic, "lock", lock_too_late)
    write_atomically(tmp_path / "file", b"data")
    create_folder_atomically(tmp_path / "run", {"config": b"data"})
    assert len(locked) == 6
    assert names(tmp_path) == ["file", "run"]


def test_a_sweep_where_nothing_can_be_removed_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = leftover(tmp_path)
    with monkeypatch.context() as patch:
        refuse(patch, "unlink", errno.EROFS)
        sweep(tmp_path)
    assert path.exists()
    sweep(tmp_path / "gone")


@pytest.mark.parametrize(
    ("step", "after"),
    [("mkdir", 1), ("open", 0), ("open", 1), ("open", 2), ("write", 0), ("write", 1), ("fsync", 1), ("rename", 0)],
)
def test_a_refused_folder_is_not_there_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: int
) -> None:
    refuse(monkeypatch, step, errno.ENOSPC, after)
    with pytest.raises(RunError, match=r"no space .* no run was made") as error:
        create_folder_atomically(tmp_path / "run", {"a": b"data", "b": b"data"})
    assert str(tmp_path / "run") in one_line(error)
    assert names(tmp_path) == []


def test_of_two_folders_of_one_name_the_first_stays(tmp_path: Path) -> None:
    create_folder_atomically(tmp_path / "run", {"config": b"first"})
    with pytest.raises(RunError, match="in the way"):
        create_folder_atomically(tmp_path / "run", {"config": b"second"})
    assert (tmp_path / "run" / "config").read_bytes() == b"first"
    assert names(tmp_path) == ["run"]
