"""Whole or not at all."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finser.errors import FinserError
from finser.files import check_room, checksum, read_json, refusal, whole_file, whole_folder, why, write_json, write_text


def left(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_only_when_done(tmp_path):
    with whole_file(tmp_path / "a.txt") as partial:
        partial.write_text("x")
        assert not (tmp_path / "a.txt").exists()
    assert left(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_failure_leaves_the_old_one_and_nothing_else(tmp_path, writer):
    target = tmp_path / "a"
    with writer(target) as partial:
        (partial / "inside").write_text("old") if writer is whole_folder else partial.write_text("old")
    with pytest.raises(ValueError, match="boom"), writer(target) as partial:
        (partial / "inside").write_text("new") if writer is whole_folder else partial.write_text("new")
        raise ValueError("boom")
    assert left(tmp_path) == ["a"]
    assert (target / "inside" if writer is whole_folder else target).read_text() == "old"


def test_folder_replaces_a_folder_wholly(tmp_path):
    for name in ("one", "two"):
        with whole_folder(tmp_path / "a") as partial:
            (partial / name).touch()
    assert left(tmp_path / "a") == ["two"]
    assert left(tmp_path) == ["a"]


def test_a_folder_that_cannot_be_moved_aside_is_one_line_and_keeps_what_it_holds(tmp_path, monkeypatch):
    target, replace = tmp_path / "a", Path.replace
    with whole_folder(target) as partial:
        (partial / "old").touch()

    def refuse(self: Path, to: Path) -> Path:
        if self == target:
            raise PermissionError(errno.EBUSY, "Device or resource busy", str(self))  # a mount point
        return replace(self, to)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(FinserError, match="a: cannot be written .Device or resource busy."), whole_folder(target) as partial:
        (partial / "new").touch()
    assert left(target) == ["old"] and left(tmp_path) == ["a"]


@pytest.mark.parametrize("writer", ["whole_file", "whole_folder"])
def test_sigkill_leaves_no_target_and_the_next_run_clears_up(tmp_path, writer):
    body = "p.write_text('half')" if writer == "whole_file" else "(p / 'half').touch()"
    code = (
        f"import time, pathlib; from finser.files import {writer} as w\n"
        f"with w(pathlib.Path('a')) as p:\n    {body}; print('in', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [name.startswith(".partial-a-") for name in left(tmp_path)] == [True]
    with (whole_file if writer == "whole_file" else whole_folder)(tmp_path / "a") as partial:
        partial.touch()
    assert left(tmp_path) == ["a"]


def test_checksum_of_known_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert checksum(tmp_path / "a", "md5") == "900150983cd24fb0d6963f7d28e17f72"
    assert checksum(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_json_round_trip_and_errors(tmp_path):
    write_json(tmp_path / "a.json", {"ä": 1.5})
    assert read_json(tmp_path / "a.json") == {"ä": 1.5}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", {"r2": float("nan")})
    assert left(tmp_path) == ["a.json"]
    write_text(tmp_path / "c.json", "{")
    with pytest.raises(FinserError, match="not JSON"):
        read_json(tmp_path / "c.json")
    with pytest.raises(FinserError, match="no such file"):
        read_json(tmp_path / "d.json")
    with pytest.raises(FinserError, match=r"cannot be read \(Is a directory\)"):
        read_json(tmp_path)


def test_full_disk_leaves_nothing(tmp_path):
    """A small tmpfs, where this process may mount one."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True).returncode:
        pytest.skip("may not mount a tmpfs")
    try:
        with pytest.raises(FinserError, match="/a: no space left to write it"), whole_file(tmp_path / "a") as partial:
            partial.write_bytes(bytes(1_000_000))
        assert left(tmp_path) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_room_is_that_of_the_disk(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    check_room(tmp_path / "not" / "yet", 0)
    with pytest.raises(FinserError, match=r"not/yet: not enough disk space; expected \S+ .B free; found \S+ .B; make room"):
        check_room(tmp_path / "not" / "yet", 2 * free)
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(), "OSError"),
        (OSError("odd"), "odd"),
        (OSError(None, None), "OSError"),
        (FileNotFoundError(2, "No such file or directory", "a"), "No such file or directory"),
        (FileNotFoundError(), "FileNotFoundError"),
        (ValueError("two\nlines"), "two lines"),
    ],
)
def test_an_error_is_never_nothing(tmp_path, error, words):
    """An OSError need not have words or a file of its own."""
    assert why(error) == words
    assert f"a: cannot be written ({words})" in str(refusal(tmp_path / "a", error))


def test_an_unreadable_file_without_words_is_one_line(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError

    monkeypatch.setattr(Path, "read_text", fail)
    with pytest.raises(FinserError, match=r"a.json: cannot be read \(OSError\)"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_two_writers_of_one_target_leave_each_other_alone(tmp_path, writer):
    """The second begins and ends while the first still writes; both end well, and one of the two is there, whole."""
    target = tmp_path / "a"

    def write(partial, word):
        (partial / "inside").write_text(word) if writer is whole_folder else partial.write_text(word)

    with writer(target) as first:
        write(first, "first")
        with writer(target) as second:
            assert first.exists() and first != second
            write(second, "second")
        assert first.exists()
    assert left(tmp_path) == ["a"]
    assert (target / "inside" if writer is whole_folder else target).read_text() == "first"


@pytest.mark.parametrize(("days", "stays"), [(6, True), (8, False)])
def test_what_another_host_is_writing_stays_for_a_week(tmp_path, days, stays):
    other = tmp_path / f".partial-a-otherhost.0123abcd.4026531836-{os.getpid()}-0123abcd"
    other.mkdir()
    for path in (other / "part", other):
        path.touch()
        os.utime(path, (time.time() - days * 86400,) * 2)
    with whole_file(tmp_path / "a") as partial:
        partial.touch()
    assert left(tmp_path) == ([other.name, "a"] if stays else ["a"])


def test_a_folder_in_which_another_host_still_writes_stays(tmp_path):
    """The folder's own time is that of its newest name, not of its newest content."""
    other = tmp_path / ".partial-a-otherhost.0123abcd.4026531836-1-0123abcd"
    other.mkdir()
    (other / "part").touch()
    os.utime(other, (0, 0))
    with whole_file(tmp_path / "a") as partial:
        partial.touch()
    assert other.exists()


def test_files_of_a_folder_have_the_mode_of_new_files(tmp_path):
    """safetensors writes 0600: a group that shares a project could not read its models."""
    (tmp_path / "new").touch()
    with whole_folder(tmp_path / "model") as partial:
        (partial / "weights").touch(mode=0o600)
    assert (tmp_path / "model/weights").stat().st_mode == (tmp_path / "new").stat().st_mode
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["weights"]


def test_copies_of_a_folder_onto_a_full_disk_are_one_line(tmp_path):
    """shutil.copytree gathers the errors of all files in one, without a number."""
    (tmp_path / "from").mkdir()
    (tmp_path / "from/a").write_text("x")

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)

    with pytest.raises(FinserError, match="/to: no space left to write it"), whole_folder(tmp_path / "to") as partial:
        shutil.copytree(tmp_path / "from", partial / "in", copy_function=full)
    assert left(tmp_path) == ["from"]
