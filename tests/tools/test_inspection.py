"""What `finser inspect` prints, against numpy on the rows that were written."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finser.audio import shards
from finser.audio.frames import DIMENSIONS, n_frames
from finser.audio.shards import AudioRow, LabelRow, write_audio, write_labels
from finser.errors import FinserError
from finser.features import store
from finser.tools.inspection import describe, level_db
from finser.tools.table import align

SECONDS = [0.1, 1.0, 2.5, 0.5]
VARIANTS = {"original": {"gain": 1.0}, "noise": {"level": 0.0123456, "seed": 7}, "speed_pitch": {"rate": 1.25, "semitones": 2.0}}


def audio_rows() -> list[AudioRow]:
    rng = np.random.default_rng(3)
    rows = []
    for n, seconds in enumerate(SECONDS):
        for variant, draw in VARIANTS.items():
            pcm = rng.integers(-900, 901, round(seconds * 22_050), np.int16)
            rows.append(AudioRow(f"savee/{n}", "savee", f"savee/{'DC' if n % 2 else 'KL'}", "sad", variant, 0, draw, pcm))
    return rows


def label_rows(spoil=lambda features: features) -> list[LabelRow]:
    rng = np.random.default_rng(4)
    frames = [n_frames(len(row.audio)) for row in audio_rows()]
    made = [{name: rng.normal(size=(n, dim)).astype(np.float32) for name, dim in DIMENSIONS.items()} for n in frames]
    return [LabelRow(row.clip_id, row.variant, spoil(features)) for row, features in zip(audio_rows(), made, strict=True)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "ROWS_PER_GROUP", 5)
    monkeypatch.setattr(shards, "GROUPS_PER_PART", 2)
    write_audio(tmp_path / "audio", audio_rows())
    write_labels(tmp_path / "labels", label_rows())
    return tmp_path


def test_rows_of_audio(folder):
    head, titles, *lines = describe(folder / "audio", 20)
    assert head == f"{folder / 'audio'}: audio"
    assert titles.split() == ["clip_id", "speaker", "emotion", "variant", "seconds", "peak", "dBFS", "level", "dBFS", "draw"]
    for row, line in zip(audio_rows(), lines[:12], strict=True):
        clip, speaker, emotion, variant, seconds, peak, level, *draw = line.split()
        assert (clip, speaker, emotion, variant) == (row.clip_id, row.speaker, row.emotion, row.variant)
        y = row.audio / 32768
        assert float(seconds) == pytest.approx(len(y) / 22_050, rel=1e-3)
        assert float(peak) == pytest.approx(20 * np.log10(np.abs(y).max()), abs=0.051)
        assert float(level) == pytest.approx(10 * np.log10(np.mean(y**2)), abs=0.051)
        assert [item.split("=")[0] for item in draw] == sorted(row.draw)


def test_totals_of_audio_do_not_depend_on_the_rows_shown(folder):
    size = sum(path.stat().st_size for path in (folder / "audio").iterdir())
    for rows in (0, 3, 12):
        *shown, totals, storage = describe(folder / "audio", rows)
        samples = sum(len(row.audio) for row in audio_rows())
        assert totals == (f"rows 12 (original 4, noise 4, speed_pitch 4), clips 4, speakers 2, minutes {samples / 22_050 / 60:.2f}")
        assert storage == f"shards 2, bytes {size:,}, rows per group 5 (the last 2)"
        assert (f"... and {12 - rows} more rows" in shown) == (rows < 12)


def test_one_shard_of_a_folder(folder):
    *_, totals, storage = describe(folder / "audio" / "part-00001.parquet", 1)
    assert totals.startswith("rows 2 ")
    assert storage.startswith("shards 1, ")


def test_silence_and_no_sample_at_all(tmp_path):
    rows = [AudioRow(f"tess/{n}", "tess", "tess/OAF", "sad", "original", 0, {}, np.zeros(n, np.int16)) for n in (0, 100)]
    write_audio(tmp_path / "a", rows)
    assert [line.split()[5:7] for line in list(describe(tmp_path / "a", 2))[2:4]] == [["-inf", "-inf"]] * 2
    assert level_db(0.5) == pytest.approx(-6.0206, abs=1e-4)


def test_figures_of_labels(folder):
    lines = list(describe(folder / "labels", 2))
    first = audio_rows()[0]
    assert lines[2].split() == [first.clip_id, first.variant, str(n_frames(len(first.audio)))]
    found = {line.split()[0]: line.split()[1:] for line in lines if line.split() and line.split()[0] in DIMENSIONS}
    for name, dim in DIMENSIONS.items():
        values = np.concatenate([row.features[name] for row in label_rows()]).astype(np.float64)
        assert int(found[name][0]) == dim == values.shape[1]
        assert [float(number) for number in found[name][1:]] == pytest.approx([values.min(), values.mean(), values.max()], rel=1e-3)
    assert lines[-2] == f"rows 12, frames {sum(n_frames(len(row.audio)) for row in audio_rows())}"


def test_a_nan_among_labels_shows(tmp_path):
    def spoil(features):
        features["chroma"][0, 3] = np.nan
        return features

    write_labels(tmp_path / "l", label_rows(spoil))
    (line,) = [line for line in describe(tmp_path / "l", 0) if line.startswith("chroma")]
    assert line.split() == ["chroma", "12", "nan", "nan", "nan"]


def cut_short(folder: Path) -> Path:
    part = folder / "audio" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-10])
    return part


def another_table(folder: Path) -> Path:
    pq.write_table(pa.table({name: [1] for name in "abcdefgh"}), folder / "t.parquet")
    return folder / "t.parquet"


def text(folder: Path) -> Path:
    (folder / "notes.parquet").write_text("hello")
    return folder / "notes.parquet"


def mixture(folder: Path) -> Path:
    (folder / "labels" / "part-00000.parquet").replace(folder / "audio" / "part-00002.parquet")
    return folder / "audio"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut_short, "part-00000.parquet: not a readable file"),
        (another_table, r"t.parquet: no shard of finser; .*found a Parquet file of 8 columns: a, b, c, d, e, f, \.\.\."),
        (text, "notes.parquet: not a readable file"),
        (mixture, "audio: audio and labels in one folder; found 2 shards of audio among 3"),
        (lambda folder: folder / "nowhere", "nowhere: no shards"),
        (lambda folder: folder, "no shards"),
    ],
)
def test_what_is_no_shard_is_one_line(folder, spoil, said):
    with pytest.raises(FinserError, match=said) as error:
        list(describe(spoil(folder), 20))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["", "part-00000.arrow"])
def test_a_stored_representation_is_described(tmp_path, name):
    values = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    rows = [store.Stored(f"tess/{n}", "original", "tess/OAF", "angry", values[n]) for n in range(2)]
    store.write(tmp_path / "tess", rows, 3)
    path = tmp_path / "tess" / name
    size = (tmp_path / "tess" / "part-00000.arrow").stat().st_size
    assert [line.split() for line in describe(path, 1)] == [
        [f"{path}:", "stored", "representation"],
        ["clip_id", "speaker", "emotion", "variant", "frames"],
        ["tess/0", "tess/OAF", "angry", "original", "2"],
        ["...", "and", "1", "more", "rows"],
        [],
        ["values", "min", "mean", "max"],
        ["3", "0", "5.5", "11"],
        ["rows", "2,", "frames", "4,", "bytes", f"{size:,}"],
    ]


def test_columns_are_aligned():
    assert list(align(("name", "n"), [("a", 5), ("longer", 10)])) == ["name     n", "a        5", "longer  10"]
    assert list(align(("name", "n"), [])) == ["name  n"]
