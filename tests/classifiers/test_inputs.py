"""Statistics against librosa and NumPy; reading refuses what does not fit the split."""

import librosa
import numpy as np
import pyarrow as pa
import pytest

from finser.classifiers.inputs import AUDIO, MFCC, SUMMARY, deltas, mfcc_statistics, read_examples, summary_statistics
from finser.errors import FinserError
from finser.shards import DIMENSIONS, LabelRow
from finser.splits import read_parts

ORIGINAL = ("original",)


def label_row(n_frames: int) -> LabelRow:
    rng = np.random.default_rng(n_frames)
    features = {name: rng.random((n_frames, dim), np.float32) for name, dim in DIMENSIONS.items()}
    return LabelRow("clip", "original", features)


@pytest.mark.parametrize("n_frames", [9, 10, 37, 200])
def test_deltas_equal_librosa(n_frames):
    mfcc = np.random.default_rng(n_frames).normal(size=(n_frames, 20)).astype(np.float32)
    assert deltas(mfcc) == pytest.approx(librosa.feature.delta(mfcc.T, width=9).T, abs=1e-5)


@pytest.mark.parametrize("n_frames", [1, 2, 8])
def test_deltas_of_short_clips_equal_librosa_nearest(n_frames):
    mfcc = np.random.default_rng(n_frames).normal(size=(n_frames, 20)).astype(np.float32)
    assert deltas(mfcc) == pytest.approx(librosa.feature.delta(mfcc.T, width=9, mode="nearest").T, abs=1e-5)


def test_summary_statistics_are_where_the_documentation_says():
    row = label_row(50)
    row.features["rms"][:5] = 0  # silence: the logarithm has a floor
    found = summary_statistics(row)
    assert found.shape == (211,) and found.dtype == np.float32 and np.isfinite(found).all()
    columns = np.hstack([row.features["mfcc"], librosa.feature.delta(row.features["mfcc"].T).T, row.features["zcr"]])
    columns = np.hstack([columns, np.log(np.maximum(row.features["rms"], 1e-10))])
    expected = [columns.mean(0), columns.std(0), *(np.quantile(columns, q, axis=0) for q in (0.1, 0.5, 0.9))]
    assert found[:210] == pytest.approx(np.concatenate(expected), abs=1e-4)
    assert found[210] == pytest.approx(50 * 512 / 22_050)


def test_mfcc_statistics_are_the_mfcc_columns_of_the_summary():
    row = label_row(50)
    summary = summary_statistics(row)[:210].reshape(5, 42)
    assert mfcc_statistics(row).reshape(5, 40) == pytest.approx(summary[:, :40])


def test_one_frame_is_enough():
    assert np.isfinite(summary_statistics(label_row(1))).all()


def test_examples_are_those_of_the_split(project):
    parts = read_parts("speaker", 1, ["ravdess"])
    examples = read_examples(SUMMARY, parts, {"train": ("original", "noise"), "validation": ORIGINAL, "test": ORIGINAL})
    assert len(examples["train"]) == 2 * parts["train"].num_rows
    for part, rows in parts.items():
        assert set(examples[part].clip_ids) == set(rows["clip_id"].to_pylist())
        assert set(examples[part].speakers) == set(rows["speaker"].to_pylist())
    assert len(read_examples(MFCC, parts, dict.fromkeys(parts, ORIGINAL))["test"].inputs[0]) == 200
    assert read_examples(AUDIO, parts, dict.fromkeys(parts, ORIGINAL))["test"].inputs[0].dtype == np.int16


def test_a_clip_of_the_split_without_a_row_is_an_error(project):
    rows = read_parts("speaker", 1, ["ravdess"])["test"].to_pylist()
    rows[0]["clip_id"] = "ravdess/nowhere"
    with pytest.raises(FinserError, match="lacks 1 rows of the split, e.g. ravdess/nowhere"):
        read_examples(MFCC, {"test": pa.Table.from_pylist(rows)}, {"test": ORIGINAL})
