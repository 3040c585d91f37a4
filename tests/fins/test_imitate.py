"""`finser imitate`: FINs beside librosa, on any recording."""

import librosa
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from finser.audio.frames import DIMENSIONS
from finser.errors import FinserError
from finser.fins import store
from finser.fins.imitate import imitate
from finser.fins.train_fin import train_fin


@pytest.fixture(scope="module")
def trained(project):
    for feature in ("rms", "zcr", "chroma", "mel", "mfcc"):
        train_fin(project, feature)
    return project


def test_both_stand_beside_each_other(trained, tmp_path, make_tone):
    y = make_tone(3, 0, "original") / 32_768
    soundfile.write(tmp_path / "a.wav", np.stack([y, y], axis=1), 22_050, subtype="PCM_16")
    soundfile.write(tmp_path / "one.flac", y[:100], 22_050, subtype="PCM_16")
    lines = list(imitate(trained, [tmp_path / "a.wav", tmp_path / "one.flac"], tmp_path / "out"))
    assert lines[0].startswith(f"{tmp_path}/out/a.parquet: {len(y) / 22_050:.2f} s, R2 rms ") and "mel" in lines[0]
    assert "rms -" in lines[1]
    table = pq.read_table(tmp_path / "out/a.parquet")
    assert table.column_names == ["seconds", *(f"{name}_{of}" for name in DIMENSIONS for of in ("librosa", "fin"))]
    assert table["seconds"][2].as_py() == pytest.approx(1024 / 22_050)
    expected = librosa.feature.melspectrogram(y=y.astype(np.float32), sr=22_050).T
    assert np.allclose(np.stack(table["mel_librosa"].to_numpy()), expected, rtol=1e-4, atol=1e-6)
    rms, imitated = (table[f"rms_{of}"].to_numpy() for of in ("librosa", "fin"))
    assert np.corrcoef(rms, imitated)[0, 1] > 0.99


def test_two_of_one_name_are_refused(trained, tmp_path):
    with pytest.raises(FinserError, match="recordings of one name"):
        list(imitate(trained, [tmp_path / "a/x.wav", tmp_path / "b/x.wav"], tmp_path))


@pytest.mark.parametrize("samples", [[0.1, float("nan"), 0.2], [0.1, float("inf")]])
def test_samples_that_are_no_numbers_are_refused(trained, tmp_path, samples):
    soundfile.write(tmp_path / "x.wav", np.array(samples), 22_050, subtype="FLOAT")
    with pytest.raises(FinserError, match="not numbers"):
        list(imitate(trained, [tmp_path / "x.wav"], tmp_path / "out"))


def test_mistakes_are_one_line(trained, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FinserError, match="no such file"):
        list(imitate(trained, [tmp_path / "none.wav"], tmp_path / "out"))
    assert not (tmp_path / "out").exists(), "no folder for nothing"
    with pytest.raises(FinserError, match="is not a folder"):
        list(imitate(trained, [tmp_path / "file"], tmp_path / "file"))


def test_what_is_scaled_down_is_said(trained, tmp_path):
    soundfile.write(tmp_path / "loud.wav", 2 * np.sin(0.05 * np.arange(22_050)), 22_050, subtype="FLOAT")
    assert "scaled by 0.5000 to fit int16" in next(imitate(trained, [tmp_path / "loud.wav"], tmp_path / "out"))


def test_fins_of_two_definitions_are_refused(trained, tmp_path, monkeypatch):
    read = store.load_fin
    other = {"rms": "librosa_default"}
    monkeypatch.setattr(store, "load_fin", lambda folder: (read(folder)[0], {"definition": other.get(folder.name, "frame")}))
    with pytest.raises(FinserError, match="different label definitions"):
        list(imitate(trained, [], tmp_path / "out"))
