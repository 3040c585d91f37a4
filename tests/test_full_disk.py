"""A disk that is full, or takes no write: one clear line that names what could not be written, nothing lost, the next run right."""

import os
import resource
import shutil
import subprocess
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from finser import cli, files, layout
from finser.audio.shards import AudioRow, write_audio
from finser.config import presets
from finser.config.dump import dump
from finser.errors import FinserError
from finser.files import whole_file, whole_folder

ROOT = Path(__file__).parents[1]
MANY = np.random.default_rng(0).integers(-9999, 9999, 1_000_000).astype(np.int16)  # 2 MB


@contextmanager
def no_file_above(limit: int | None):
    """No file of this process may grow beyond `limit` bytes: Python ignores the signal, so that the write fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit or soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 64 kB, where this process may mount one; elsewhere a file may not grow beyond 64 kB."""
    may = os.geteuid() == 0
    if may and not subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True).returncode:
        yield tmp_path
        subprocess.run(["umount", tmp_path], check=True)
    else:
        with no_file_above(2**16):
            yield tmp_path


def write_bytes(folder):
    (folder / "a").write_bytes(MANY.tobytes())


def write_tensors(folder):
    from safetensors.numpy import save_file

    save_file({"a": MANY}, folder / "a")


def write_parquet(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": MANY}), folder / "a")


def write_synthetic_speech(folder):
    from finser.synthetic.oddities import write_wav

    write_wav(folder / "a", MANY, 22_050)


def copy(folder):
    import shutil

    shutil.copyfile(Path(files.__file__).with_name("corpora") / "known/crema_d_sha256.csv", folder / "a")


@pytest.mark.parametrize(
    "write", [write_bytes, write_tensors, write_parquet, write_synthetic_speech, copy], ids=lambda write: write.__name__
)
def test_every_library_ends_in_a_line_with_the_target(small_disk, write):
    with whole_folder(small_disk / "models") as folder:
        (folder / "old").touch()
    with pytest.raises(FinserError) as error, whole_folder(small_disk / "models") as folder:
        write(folder)
    assert str(error.value).startswith(f"{small_disk / 'models'}: no space left to write it; nothing half-written was kept")
    assert [path.relative_to(small_disk).as_posix() for path in sorted(small_disk.rglob("*"))] == ["models", "models/old"]


def test_other_errors_pass_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "a"):
        (tmp_path / "nowhere").read_bytes()
    assert not files.disk_is_full(OSError(13, "Permission denied"))


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_a_file_where_a_folder_should_be(tmp_path, writer):
    (tmp_path / "data").write_text("mine")
    with (
        pytest.raises(FinserError, match=r"data/shards/a: cannot be written \((Not a directory|File exists)\)"),
        writer(tmp_path / "data/shards/a"),
    ):
        pass
    assert (tmp_path / "data").read_text() == "mine"


def test_a_folder_where_a_file_should_be(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(FinserError, match=r"/a: cannot be written \(Is a directory\)"), whole_file(tmp_path / "a") as partial:
        partial.write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.fixture
def project(tmp_path, monkeypatch, copy_stages):
    """The current folder: a project with shards of one corpus, whose labels take more than half a megabyte."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(dump(presets.demo()))
    copy_stages(tmp_path)
    rows = [AudioRow(f"tess/{number}", "tess", "tess/OAF", "sad", "original", 0, {}, MANY[number:150_000]) for number in range(6)]
    write_audio(layout.shards("tess"), rows)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """A stage in this process: gives its status and its lines of error."""

    def run_stage(stage: str, corpus: str, limit: int | None = None) -> tuple[int, list[str]]:
        monkeypatch.setattr("sys.argv", ["finser", stage, corpus])
        with pytest.raises(SystemExit) as left, no_file_above(limit):
            cli.main()
        said = capsys.readouterr().err.splitlines()
        return left.value.code, [line for line in said if line.startswith("error:") or "Traceback" in line]

    return run_stage


@pytest.fixture
def label(project, run):
    """`finser label tess`."""
    return partial(run, "label", "tess")


def bytes_of(path) -> dict[str, bytes]:
    """Of a file, or of every file in a folder."""
    return {str(file): file.read_bytes() for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file()}


def test_every_data_stage_on_a_full_disk(tmp_path, monkeypatch, run, copy_stages):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(dump(presets.tiny()))
    copy_stages(tmp_path)
    stages = {"fetch": layout.raw, "index": layout.clips, "resample": layout.audio, "augment": layout.shards, "label": layout.labels}
    for stage, out in stages.items():
        target = out("ravdess")
        assert run(stage, "ravdess") == (0, [])
        right = bytes_of(target)
        said = f"error: {target}: no space left to write it; nothing half-written was kept; free some space and run again"
        assert run(stage, "ravdess", 2_000) == (1, [said])
        assert bytes_of(target) == right and not list(target.parent.glob(".partial-*"))
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        assert run(stage, "ravdess") == (0, [])
        assert bytes_of(target) == right


def test_a_stage_on_a_full_disk_keeps_the_old_output_and_runs_again(label):
    part = layout.labels("tess") / "part-00000.parquet"
    assert label() == (0, [])
    right = part.read_bytes()
    said = "error: data/labels/tess: no space left to write it; nothing half-written was kept; free some space and run again"
    assert label(500_000) == (1, [said])
    assert part.read_bytes() == right
    assert [path.name for path in part.parents[1].iterdir()] == ["tess"]
    part.unlink()
    assert label() == (0, [])
    assert part.read_bytes() == right


def test_a_log_that_cannot_be_written_hides_no_error(label, project):
    (project / "logs").write_text("no folder")
    status, (line,) = label()
    assert status == 1
    assert line.startswith("error: logs/commands.jsonl: cannot be written")
    status, (line,) = label(500_000)
    assert status == 1
    assert line.startswith("error: data/labels/tess: no space left")


def test_shards_cut_short_and_made_anew(label):
    part = layout.shards("tess") / "part-00000.parquet"
    right = part.read_bytes()
    part.write_bytes(right[: len(right) // 2])
    status, (line,) = label()
    assert status == 1
    assert line.startswith("error: data/shards/tess/part-00000.parquet: not a readable file")
    assert not layout.labels("tess").exists()
    part.write_bytes(right)
    assert label() == (0, [])
