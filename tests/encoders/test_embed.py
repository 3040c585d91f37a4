"""The stage `embed`: rows in the order of the shards, whatever the number of processes, and after a kill."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from finser import encoders, layout
from finser.audio.shards import AudioRow, read_audio, write_audio
from finser.config.dump import dump
from finser.config.params import Params
from finser.config.sections.fetch import Synthetic
from finser.encoders import embed as embedding
from finser.encoders.embed import embed, reader
from finser.encoders.statistics import of_clips
from finser.errors import FinserError
from finser.features import store
from finser.features.rows import Row

from . import tiny

ROOT = Path(__file__).parents[2]
STORED = layout.features("byol_s", "tess")


@pytest.fixture
def params():
    return Params(
        corpora=("tess",),
        pooled=("tess",),
        fetch={"tess": Synthetic()},
        train_fin={"data": {"corpora": ("tess",)}},
        features={"encoders": ("byol_s",)},
        fetch_weights={"byol_s": {"source": "local", "family": "byol_s", "sha256": "0" * 64}},
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Five clips with a variant of each, in parts of two rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINSER_CORES", "1")
    monkeypatch.setattr(embedding, "PART", 2)
    monkeypatch.setattr(embedding, "BATCH", {"cpu": 2, "cuda": 2})
    embedding._encoder.cache_clear()
    tiny.write(layout.weights("byol_s"), "byol_s")
    names = [(f"tess/a/{number}", variant) for number in range(5) for variant in ("original", "noise")]
    rows = [
        AudioRow(clip, "tess", "tess/a", "sad", variant, 0, {}, tiny.clip(9_000 + 500 * n, n)) for n, (clip, variant) in enumerate(names)
    ]
    write_audio(layout.shards("tess"), rows)
    return tmp_path


def test_rows_are_those_of_the_clips_in_the_order_of_the_shards(project, params):
    embed(params, "tess", "byol_s")
    found, encoder = list(store.read(STORED)), encoders.load(layout.weights("byol_s"))
    originals = [row for row in read_audio(layout.shards("tess")) if row.variant == "original"]
    assert [(row.clip_id, row.variant, row.speaker, row.emotion) for row in found] == [
        (row.clip_id, "original", row.speaker, row.emotion) for row in originals
    ]
    for row, audio in zip(found, originals, strict=True):
        with threadpool_limits(1):  # as in the stage: with more threads BLAS adds in another order
            np.testing.assert_array_equal(row.values, of_clips(encoder, [audio.audio])[0])
    assert not layout.checkpoint("embed", "tess", "byol_s").with_suffix("").exists(), "the parts are removed at the end"


def test_variants_are_those_that_are_asked_for(project, params):
    both = Params.model_validate({**params.model_dump(), "features": {"encoders": ("byol_s",), "encoder_variants": ("original", "noise")}})
    embed(both, "tess", "byol_s")
    assert [row["variant"] for row in store.read_names(STORED)] == ["original", "noise"] * 5


def test_two_processes_write_the_bytes_of_one(project, params, monkeypatch):
    embed(params, "tess", "byol_s")
    one = (STORED / store.FILE).read_bytes()
    monkeypatch.setenv("FINSER_CORES", "2")
    embed(params, "tess", "byol_s")
    assert (STORED / store.FILE).read_bytes() == one


def test_a_killed_run_resumes_and_ends_with_the_same_bytes(project, params, monkeypatch, capsys):
    embed(params, "tess", "byol_s")
    whole = (STORED / store.FILE).read_bytes()
    shutil.rmtree(STORED)
    embedded, of_batch = [], embedding._embedded

    def killed(folder, rows):
        if len(embedded) == 4:
            raise KeyboardInterrupt
        embedded.extend(row.clip_id for row in rows)
        return of_batch(folder, rows)

    monkeypatch.setattr(embedding, "_embedded", killed)
    with pytest.raises(KeyboardInterrupt):
        embed(params, "tess", "byol_s")
    assert not STORED.exists() and embedded == [f"tess/a/{n}" for n in range(4)]
    embedded.clear()
    embed(params, "tess", "byol_s")
    assert embedded == ["tess/a/4"] and "resuming after 4 rows" in capsys.readouterr().err
    assert (STORED / store.FILE).read_bytes() == whole


def process() -> subprocess.Popen:
    """Start `finser embed tess byol_s` as a user or DVC does."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "FINSER_CORES": "1"}
    return subprocess.Popen([sys.executable, "-m", "finser", "embed", "tess", "byol_s"], env=environment, stderr=subprocess.PIPE, text=True)


def ended(command: subprocess.Popen) -> str:
    """Return what a command said that ended without an error."""
    said = command.communicate()[1]
    assert command.returncode == 0, said
    return said


def test_a_process_that_sigkill_ends_resumes_and_ends_with_the_same_bytes(tmp_path, monkeypatch, params, copy_stages):
    """With parts as large as a user's, in a process that is killed when the first of three is complete."""
    monkeypatch.chdir(tmp_path)
    copy_stages(tmp_path)
    Path("params.yaml").write_text(dump(params))
    tiny.write(layout.weights("byol_s"), "byol_s")
    audio = [tiny.clip(6_000 + 100 * n, n) for n in range(10)]
    clips = (
        AudioRow(f"tess/a/{n:04d}", "tess", "tess/a", "sad", "original", 0, {}, audio[n % 10]) for n in range(2 * embedding.PART + 150)
    )
    write_audio(layout.shards("tess"), clips)
    above = layout.checkpoint("embed", "tess", "byol_s").with_suffix("")
    killed, end = process(), time.monotonic() + 120
    while not list(above.glob("*/00000")) and killed.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL and list(above.glob("*/00000")) and not STORED.exists()
    assert f"byol_s tess: resuming after {embedding.PART} rows" in ended(process())
    resumed = (STORED / store.FILE).read_bytes()
    assert not above.exists()
    shutil.rmtree(STORED)
    assert "resuming" not in ended(process())
    assert (STORED / store.FILE).read_bytes() == resumed and len(list(store.read_names(STORED))) == 2 * embedding.PART + 150


@pytest.mark.parametrize("change", ["weights", "clips", "variants"])
def test_parts_of_another_run_are_not_used(project, params, monkeypatch, change):
    of_batch = embedding._embedded
    monkeypatch.setattr(embedding, "_embedded", lambda folder, rows: of_batch(folder, rows) if rows[0].clip_id < "tess/a/2" else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        embed(params, "tess", "byol_s")
    monkeypatch.undo()
    monkeypatch.chdir(project)
    monkeypatch.setenv("FINSER_CORES", "1")
    assert any(layout.checkpoint("embed", "tess", "byol_s").with_suffix("").iterdir())
    if change == "weights":
        config = layout.weights("byol_s") / "config.json"
        config.write_text(config.read_text().replace('"origin": {}', '"origin": {"a": "b"}'))
    if change == "clips":
        write_audio(layout.shards("tess"), [replace(row, audio=row.audio // 2) for row in read_audio(layout.shards("tess"))])
    asked = {"encoders": ("byol_s",), "encoder_variants": ("noise",) if change == "variants" else ("original",)}
    changed, seen = Params.model_validate({**params.model_dump(), "features": asked}), []
    monkeypatch.setattr(embedding, "_embedded", lambda folder, rows: seen.extend(rows) or of_batch(folder, rows))
    embed(changed, "tess", "byol_s")
    assert len(seen) == 5


def test_what_a_process_on_another_machine_left_is_no_part(project, params, monkeypatch):
    key = embedding.key_of(layout.weights("byol_s"), "tess", ("original",))
    kept = layout.checkpoint("embed", "tess", "byol_s").with_suffix("") / key
    (kept / ".partial-00001-elsewhere-123-0a1b2c3d").mkdir(parents=True)
    embed(params, "tess", "byol_s")
    assert len(list(store.read(STORED))) == 5


def test_a_part_that_another_run_removed_is_an_error_and_no_shorter_table(project, params, monkeypatch):
    whole, written = store.write, []

    def write(folder, rows, *args):
        written.append(folder)
        if folder == STORED:
            shutil.rmtree(written[0])
        return whole(folder, rows, *args)

    monkeypatch.setattr(embedding.store, "write", write)
    with pytest.raises(FinserError, match="no such file"):
        embed(params, "tess", "byol_s")
    assert not STORED.exists()


@pytest.mark.parametrize("change", ["code", "settings"])
def test_the_key_of_the_parts_depends_on(project, monkeypatch, change):
    before = embedding.key_of(layout.weights("byol_s"), "tess", ("original",))
    assert embedding.key_of(layout.weights("byol_s"), "tess", ("original",)) == before
    if change == "code":
        monkeypatch.setattr(embedding, "digest", lambda names: "other")
    else:
        monkeypatch.setattr(embedding.machine, "settings", lambda libraries: {"threads": 7})
    assert embedding.key_of(layout.weights("byol_s"), "tess", ("original",)) != before


def test_a_corpus_without_the_variants_is_one_line(project, params):
    write_audio(layout.shards("tess"), [replace(row, variant="gain") for row in read_audio(layout.shards("tess"))])
    with pytest.raises(FinserError, match="nothing to write: no usable clip"):
        embed(params, "tess", "byol_s")


def test_a_reader_computes_from_samples_what_is_stored(project, params):
    embed(params, "tess", "byol_s")
    asked = reader("byol_s")
    stored = [asked.convert(row) for row in asked.rows("tess")]
    audio = [row for row in read_audio(layout.shards("tess")) if row.variant == "original"]
    with threadpool_limits(1):
        computed = [asked.convert(Row(row.clip_id, row.variant, row.audio, {})) for row in audio]
    for one, other in zip(stored, computed, strict=True):
        np.testing.assert_array_equal(one, other)
    other = layout.weights("byol_s").with_name("elsewhere")
    layout.weights("byol_s").rename(other)
    embedding._encoder.cache_clear()
    with threadpool_limits(1):
        again = reader("byol_s", other).convert(Row("", "original", audio[0].audio, {}))
    np.testing.assert_array_equal(again, stored[0])


def test_missing_weights_are_one_line(project, params):
    shutil.rmtree(layout.weights("byol_s"))
    with pytest.raises(FinserError, match="config.json: no such file"):
        embed(params, "tess", "byol_s")
