"""Statistics against librosa and NumPy; reading refuses what does not fit the split."""

from dataclasses import replace

import librosa
import numpy as np
import pyarrow as pa
import pytest

from finser import layout
from finser.audio.shards import read_audio, write_audio
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.features.examples import Examples, check_apart, check_training_part, read_examples
from finser.features.rows import Reader
from finser.features.statistics import mfcc, summary
from finser.splits.table import read_parts

ORIGINAL = ("original",)
SAMPLES = Reader(lambda row: row.audio, audio=True)


def test_examples_are_those_of_the_split(project):
    parts = read_parts("speaker", 1, ["ravdess"])
    examples = read_examples(summary(), parts, {"train": ("original", "noise"), "validation": ORIGINAL, "test": ORIGINAL}, EMOTIONS)
    assert len(examples["train"]) == 2 * parts["train"].num_rows
    for part, rows in parts.items():
        assert set(examples[part].clip_ids) == set(rows["clip_id"].to_pylist())
        assert set(examples[part].speakers) == set(rows["speaker"].to_pylist())
    assert len(read_examples(mfcc(), parts, dict.fromkeys(parts, ORIGINAL), EMOTIONS)["test"].inputs[0]) == 200
    originals = {row.clip_id: row.audio for row in read_audio(layout.shards("ravdess")) if row.variant == "original"}
    heard = read_examples(SAMPLES, parts, dict.fromkeys(parts, ORIGINAL), EMOTIONS)["test"]
    assert all(np.array_equal(originals[clip], audio) for clip, audio in zip(heard.clip_ids, heard.inputs, strict=True))
    assert [EMOTIONS[target] for target in heard.targets] == [clip.split("/")[2].split("-")[0] for clip in heard.clip_ids]


def test_a_reader_of_samples_and_features_reads_both_of_one_row(project):
    parts = {"test": read_parts("speaker", 1, ["ravdess"])["test"]}
    both = Reader(lambda row: (row.audio, row.features), ("rms", "mfcc"), audio=True)
    for audio, features in read_examples(both, parts, {"test": ORIGINAL}, EMOTIONS)["test"].inputs:
        assert set(features) == {"rms", "mfcc"}
        assert features["rms"][:, 0] == pytest.approx(librosa.feature.rms(y=audio / np.float32(32768))[0], abs=1e-6)


def test_a_clip_of_the_split_without_a_row_is_an_error(project):
    rows = read_parts("speaker", 1, ["ravdess"])["test"].to_pylist()
    rows[0]["clip_id"] = "ravdess/nowhere"
    with pytest.raises(FinserError, match="lacks 1 rows of the split, e.g. ravdess/nowhere"):
        read_examples(mfcc(), {"test": pa.Table.from_pylist(rows)}, {"test": ORIGINAL}, EMOTIONS)


@pytest.mark.parametrize(("column", "value"), [("speaker", "ravdess/99"), ("emotion", "surprise")])
@pytest.mark.parametrize("source", [mfcc(), SAMPLES], ids=["labels", "samples"])
def test_a_split_that_contradicts_the_shards_is_refused(project, source, column, value):
    rows = read_parts("speaker", 1, ["ravdess"])["test"].to_pylist()
    was = rows[0][column]
    rows[0][column] = value
    said = f"the split has another {column} for {rows[0]['clip_id']}; expected {was}; found {value}; split again"
    with pytest.raises(FinserError, match=said):
        read_examples(source, {"test": pa.Table.from_pylist(rows)}, {"test": ORIGINAL}, EMOTIONS)


def test_shards_that_were_edited_are_refused_as_well(project):
    rows = list(read_audio(layout.shards("ravdess")))
    victim = read_parts("speaker", 1, ["ravdess"])["train"]["clip_id"][0].as_py()
    edited = [replace(row, speaker="ravdess/10") if row.clip_id == victim else row for row in rows]
    write_audio(layout.shards("ravdess"), edited)
    with pytest.raises(FinserError, match=f"another speaker for {victim}"):
        read_examples(SAMPLES, {"train": read_parts("speaker", 1, ["ravdess"])["train"]}, {"train": ORIGINAL}, EMOTIONS)


def part(name: str, *rows: tuple[str, str, str]) -> Examples:
    """Of rows (clip, speaker, variant)."""
    clips, speakers, variants = (list(column) for column in zip(*rows, strict=True))
    return Examples(name, clips, speakers, variants, np.zeros(len(rows), np.int64), [np.zeros(1)] * len(rows), EMOTIONS)


TRAIN = part("train", ("c/1", "c/a", "original"), ("c/1", "c/a", "noise"), ("c/2", "c/b", "original"))


@pytest.mark.parametrize("other", ["validation", "test"])
def test_a_speaker_on_both_sides_is_refused_unless_the_protocol_leaks_by_design(other):
    heard = part(other, ("c/3", "c/b", "original"))
    with pytest.raises(FinserError, match=rf"^speaker c/b is in train and in {other}; split again: finser split$"):
        check_apart([TRAIN, heard], leaky=False)
    check_apart([TRAIN, heard], leaky=True)
    check_apart([TRAIN, part(other, ("c/3", "c/z", "original"))], leaky=False)


@pytest.mark.parametrize("leaky", [True, False])
def test_copies_of_a_clip_across_the_split_are_refused_under_every_protocol(leaky):
    copies = part("train", ("c/9", "c/x", "noise")), part("test", ("c/9", "c/y", "original"))
    with pytest.raises(FinserError, match=r"^clip c/9 is in train and in test; split again: finser split$"):
        check_apart(copies, leaky=leaky)
    for name in ("validation", "test"):
        with pytest.raises(FinserError, match=rf"^augmented copies \(gain, noise\) in {name}; expected originals only$"):
            check_apart([TRAIN, part(name, ("c/3", "c/z", "gain"), ("c/4", "c/z", "noise"), ("c/5", "c/z", "original"))], leaky=leaky)


@pytest.mark.parametrize("name", ["validation", "test", "all"])
def test_statistics_and_weights_come_from_the_training_part_only(name):
    check_training_part(TRAIN)
    with pytest.raises(FinserError, match=rf"^statistics and weights come from the training part only; expected train; found {name}$"):
        check_training_part(part(name, ("c/3", "c/z", "original")))
