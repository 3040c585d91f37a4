"""Shards: what goes in comes out, and what does not belong together is refused."""

import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finser.audio import shards
from finser.audio.frames import n_frames
from finser.audio.shards import AudioRow, ClipReader, LabelRow, read_aligned, read_audio, read_labels, write_audio, write_labels
from finser.errors import FinserError


def audio_row(number: int, n: int) -> AudioRow:
    pcm = np.random.default_rng(number).integers(-32768, 32768, n).astype(np.int16)
    return AudioRow(f"tess/{number:04d}", "tess", "tess/OAF", "happy", "original", number, {"gain": 1.0}, pcm)


def label_row(audio: AudioRow) -> LabelRow:
    frames = n_frames(len(audio.audio))
    features = {name: np.random.default_rng(1).normal(size=(frames, dim)).astype(np.float32) for name, dim in shards.DIMENSIONS.items()}
    return LabelRow(audio.clip_id, audio.variant, features)


@given(lengths=st.lists(st.integers(0, 3000), min_size=1, max_size=12))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path, lengths):
    rows = [audio_row(number, n) for number, n in enumerate(lengths)]
    assert write_audio(tmp_path / "a", rows) == len(rows)
    for wrote, read in zip(rows, read_audio(tmp_path / "a"), strict=True):
        assert replace(wrote, audio=None) == replace(read, audio=None)
        np.testing.assert_array_equal(wrote.audio, read.audio)
        assert read.audio.dtype == np.int16


def test_many_rows_are_cut_into_groups_and_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "GROUPS_PER_PART", 2)
    write_audio(tmp_path / "a", (audio_row(number, 10) for number in range(450)))
    parts = sorted((tmp_path / "a").iterdir())
    assert [pq.ParquetFile(part).metadata.num_rows for part in parts] == [200, 200, 50]
    assert [row.clip_id for row in read_audio(tmp_path / "a")] == [f"tess/{number:04d}" for number in range(450)]


def test_format_is_what_the_design_says(tmp_path):
    write_audio(tmp_path / "a", [audio_row(0, 100)])
    file = pq.ParquetFile(tmp_path / "a" / "part-00000.parquet")
    column = file.metadata.row_group(0).column(file.schema_arrow.names.index("audio"))
    assert column.compression == "UNCOMPRESSED"
    assert "RLE_DICTIONARY" not in column.encodings
    assert file.schema_arrow.metadata[b"sr"] == b"22050"


def test_same_rows_give_the_same_bytes(tmp_path):
    for name in "ab":
        write_audio(tmp_path / name, (audio_row(number, 500) for number in range(20)))
    assert (tmp_path / "a/part-00000.parquet").read_bytes() == (tmp_path / "b/part-00000.parquet").read_bytes()


def test_labels_are_read_beside_their_audio(tmp_path):
    rows = [audio_row(number, 1000 * number + 1) for number in range(5)]
    write_audio(tmp_path / "a", rows)
    write_labels(tmp_path / "l", map(label_row, rows))
    for audio, label in read_aligned(tmp_path / "a", tmp_path / "l", ["mel", "rms"]):
        assert label.features["mel"].shape == (n_frames(len(audio.audio)), 128)
        assert set(label.features) == {"mel", "rms"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: rows[::-1], "labels belong to another row"),
        (lambda rows: rows[:-1], "differ in length"),
        (lambda rows: [replace(rows[0], variant="noise"), *rows[1:]], "labels belong to another row"),
        (lambda rows: [replace(rows[1], clip_id=rows[0].clip_id), *rows[1:]], "misaligned"),
    ],
)
def test_labels_of_other_shards_are_refused(tmp_path, spoil, said):
    rows = [audio_row(number, 1000 * number + 1) for number in range(3)]
    write_audio(tmp_path / "a", rows)
    write_labels(tmp_path / "l", spoil([label_row(row) for row in rows]))
    with pytest.raises(FinserError, match=said):
        list(read_aligned(tmp_path / "a", tmp_path / "l"))


def test_a_shard_cut_short_is_one_clear_line(tmp_path):
    write_audio(tmp_path / "a", [audio_row(0, 5000)])
    part = tmp_path / "a" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(FinserError, match="not a readable file"):
        list(read_audio(tmp_path / "a"))


def test_wrong_kind_of_shard_names_the_missing_columns(tmp_path):
    write_audio(tmp_path / "a", [audio_row(0, 50)])
    with pytest.raises(FinserError, match="columns .* are missing"):
        list(read_labels(tmp_path / "a"))


def test_nothing_to_write_and_nothing_to_read(tmp_path):
    with pytest.raises(FinserError, match="nothing to write"):
        write_audio(tmp_path / "a", [])
    assert not (tmp_path / "a").exists()
    with pytest.raises(FinserError, match="no shards"):
        list(read_audio(tmp_path / "a"))


def test_clips_are_read_by_name_in_any_order(tmp_path, monkeypatch):
    """Across parts and groups, with few groups in memory; variants of a clip are passed over."""
    monkeypatch.setattr(shards, "GROUPS_PER_PART", 2)
    monkeypatch.setattr(shards, "ROWS_PER_GROUP", 10)
    rows = [audio_row(number, 5 + number) for number in range(95)]
    noisy = [replace(row, variant="noise", audio=row.audio[::-1].copy()) for row in rows]
    write_audio(tmp_path / "a", [row for pair in zip(noisy, rows, strict=True) for row in pair])
    reader = ClipReader(tmp_path / "a")
    for number in np.random.default_rng(0).permutation(95):
        np.testing.assert_array_equal(reader.audio(rows[number].clip_id), rows[number].audio)
    assert reader.by_speaker == {"tess/OAF": [row.clip_id for row in rows]}


def test_a_reader_keeps_few_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "ROWS_PER_GROUP", 10)
    read, real = [], shards._audio_of_group
    monkeypatch.setattr(shards, "_audio_of_group", lambda part, group: read.append(group) or real(part, group))
    write_audio(tmp_path / "a", [audio_row(number, 5) for number in range(100)])
    reader = ClipReader(tmp_path / "a")
    for number in (5, 3, 15, 25, 35, 5, 45, 7, 17):
        reader.audio(f"tess/{number:04d}")
    assert read == [0, 1, 2, 3, 4, 1]  # the fifth group drove out the one not used for longest
    assert reader._group.cache_info().currsize == shards.GROUPS_KEPT == 4


def test_a_clip_that_is_not_there_and_shards_that_are_not(tmp_path):
    write_audio(tmp_path / "a", [audio_row(0, 50)])
    with pytest.raises(FinserError, match="no clip 'tess/9'"):
        ClipReader(tmp_path / "a").audio("tess/9")
    with pytest.raises(FinserError, match="no shards"):
        ClipReader(tmp_path / "b").audio("tess/9")


def test_a_file_in_place_of_the_folder_above(tmp_path):
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(FinserError, match=r"data/a: (cannot be read \(Not a directory\)|no shards)"):
        list(read_audio(tmp_path / "data" / "a"))
    with pytest.raises(FinserError, match=r"data/a: cannot be written \((Not a directory|File exists)\)"):
        write_audio(tmp_path / "data" / "a", [audio_row(0, 5)])
    assert (tmp_path / "data").read_text() == "no folder"


def test_a_folder_that_may_not_be_read_or_written(open_folder, as_nobody):
    rows = [audio_row(0, 500)]
    write_audio(open_folder / "a", rows)
    (open_folder / "a").chmod(0)
    (open_folder / "b").mkdir(mode=0o555)
    with as_nobody():
        with pytest.raises(FinserError, match=r"/a: cannot be read \(Permission denied\)"):
            list(read_audio(open_folder / "a"))
        with pytest.raises(FinserError, match=r"/b/c: cannot be written \(Permission denied\)"):
            write_audio(open_folder / "b" / "c", rows)
    (open_folder / "a").chmod(0o755)
    assert [row.clip_id for row in read_audio(open_folder / "a")] == [rows[0].clip_id]


@pytest.mark.parametrize("place", ["a", "l"])
def test_a_shard_of_another_corpus_in_its_place(tmp_path, place):
    """Whole, readable, of the same number of rows: the ids tell, and once the right one is back, all is well."""
    rows = [audio_row(number, 900) for number in range(3)]
    others = [replace(row, clip_id=f"savee/{row.seed}") for row in rows]
    for folder, made in (("", rows), ("other", others)):
        write_audio(tmp_path / folder / "a", made)
        write_labels(tmp_path / folder / "l", map(label_row, made))
    part = tmp_path / place / "part-00000.parquet"
    right = part.read_bytes()
    shutil.copy(tmp_path / "other" / place / part.name, part)
    with pytest.raises(FinserError, match=rf"{tmp_path / 'l'}: labels belong to another row; expected \S+/0+ \(original\); found"):
        list(read_aligned(tmp_path / "a", tmp_path / "l"))
    part.write_bytes(right)
    assert len(list(read_aligned(tmp_path / "a", tmp_path / "l"))) == 3


def test_a_row_whose_bytes_are_not_as_many_as_it_says(tmp_path):
    write_audio(tmp_path / "a", [audio_row(0, 50)])
    write_labels(tmp_path / "l", [label_row(audio_row(0, 5000))])
    for folder, column, read in (("a", "audio", read_audio), ("l", "mel", read_labels)):
        part = tmp_path / folder / "part-00000.parquet"
        table = pq.read_table(part)
        cut = pa.array([table[column][0].as_py()[:-1]])
        pq.write_table(table.set_column(table.schema.get_field_index(column), column, cut), part)
        with pytest.raises(FinserError, match=f"{folder} tess/0000: {column} and n_(samples|frames) disagree"):
            list(read(tmp_path / folder))
