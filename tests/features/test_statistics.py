"""Statistics of label rows against librosa and NumPy."""

import librosa
import numpy as np
import pytest

from finser.audio.frames import DIMENSIONS
from finser.features.rows import Row
from finser.features.statistics import deltas, of_mfcc, of_row, summary, summary_statistics


def label_row(n_frames: int) -> Row:
    rng = np.random.default_rng(n_frames)
    features = {name: rng.random((n_frames, dim), np.float32) for name, dim in DIMENSIONS.items()}
    return Row("clip", "original", None, features)


@pytest.mark.parametrize("n_frames", [9, 10, 37, 200])
def test_deltas_equal_librosa(n_frames):
    columns = np.random.default_rng(n_frames).normal(size=(n_frames, 20)).astype(np.float32)
    assert deltas(columns) == pytest.approx(librosa.feature.delta(columns.T, width=9).T, abs=1e-5)


@pytest.mark.parametrize("n_frames", [1, 2, 8])
def test_deltas_of_short_clips_equal_librosa_nearest(n_frames):
    columns = np.random.default_rng(n_frames).normal(size=(n_frames, 20)).astype(np.float32)
    assert deltas(columns) == pytest.approx(librosa.feature.delta(columns.T, width=9, mode="nearest").T, abs=1e-5)


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
    assert of_mfcc(summary_statistics(row)).reshape(5, 40) == pytest.approx(summary[:, :40])


def test_one_frame_is_enough():
    assert np.isfinite(summary_statistics(label_row(1))).all()


def test_a_stored_row_gives_the_same_input_as_a_row_of_labels():
    row = label_row(30)
    stored = Row("clip", "original", None, {"statistics": of_row(row)})
    assert np.array_equal(summary().convert(stored), summary().convert(row))
