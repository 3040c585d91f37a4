import json
import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from finser import layout
from finser.audio.frames import DIMENSIONS, SR, frames, n_frames
from finser.audio.shards import AudioRow, read_aligned, write_audio
from finser.config import presets
from finser.features import labels
from finser.features.labels import features
from finser.seeds import generator

TOLERANCES = Path(__file__).parents[2] / "docs" / "tolerances.json"  # made by bench/tolerances.py of all of RAVDESS

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "tolerances.py"))
reference, LIMITS = BENCH["reference"], BENCH["TOLERANCES"]


def assert_like_librosa(y: np.ndarray):
    found, expected = features(y), reference(y)
    for name, value in found.items():
        assert value.shape == (n_frames(len(y)), DIMENSIONS[name]) and value.dtype == np.float32, name
        assert np.isfinite(value).all(), name
    for name, tolerance in LIMITS.items():
        limit = tolerance * expected[name] + 1e-20 if name == "mel" else tolerance
        assert (np.abs(found[name] - expected[name]) <= limit).all(), name


def test_the_spectra_have_the_bits_of_scipys():
    """Labels of earlier versions were computed by scipy.fft; both are pocketfft."""
    blocks = np.random.default_rng(0).standard_normal((20, 16, 2048))
    assert np.array_equal(np.fft.rfft(blocks, axis=2), scipy.fft.rfft(blocks, axis=2))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3_000), st.integers(0, 99))
def test_levels_are_exact(n, seed):
    y = generator("levels", seed).integers(-32_768, 32_767, n, dtype=np.int16)
    rms, zcr = labels.levels(y)
    framed = frames(y).astype(float)
    assert np.array_equal(rms[:, 0], (np.sqrt((framed**2).mean(axis=1)) / 32_768).astype(np.float32))
    assert np.array_equal(zcr[:, 0], (np.diff(framed < 0, axis=1).sum(axis=1) / 2048).astype(np.float32))


@pytest.mark.parametrize("peak", [3e-4, 1.0])
def test_mel_and_chroma_are_products_of_the_banks_and_the_rounded_spectrum(peak):
    y = noise(9_000, peak)
    spectrum = np.fft.rfft(frames(y) / 32_768 * np.hanning(2049)[:-1]).astype(np.complex64)
    power = spectrum.real.astype(float) ** 2 + spectrum.imag.astype(float) ** 2
    found, chroma = features(y), power @ labels.chroma_bank().T.astype(float)
    assert np.allclose(found["mel"], power @ labels.mel_bank().T.astype(float), rtol=1e-6, atol=0)
    assert np.allclose(found["chroma"], chroma / chroma.max(axis=1, keepdims=True), rtol=1e-6, atol=1e-9)


def noise(n: int, peak: float = 0.5, seed: int = 0) -> np.ndarray:
    return np.clip(generator("test", seed).standard_normal(n) * peak * 10922, -32768, 32767).astype(np.int16)


def speech_like(n: int, seed: int = 0) -> np.ndarray:
    """A gliding pulse train through two resonances, in syllables, with silence between."""
    t = np.arange(n) / SR
    pitch = 120 + 40 * np.sin(2 * np.pi * 1.3 * t + seed)
    voice = sum(np.sin(2 * np.pi * k * np.cumsum(pitch) / SR) / (1 + abs(k * 120 - 600) / 300) for k in range(1, 25))
    return (4000 * voice * (np.sin(2 * np.pi * 3 * t) > 0)).clip(-32768, 32767).astype(np.int16)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40_000), st.sampled_from([3e-4, 0.05, 1.0]), st.integers(0, 9))
def test_noise_of_any_length_and_level(n, peak, seed):
    assert_like_librosa(noise(n, peak, seed))


@pytest.mark.parametrize("n", [512, 2047, 2048, 16_384, 16_385, 60_000])
def test_speech_like_signals(n):
    assert_like_librosa(speech_like(n))


def test_a_band_limited_recording_keeps_its_empty_bands():
    """The upper bands hold little but the rounding to int16: the place where float32 transforms go wrong."""
    import soxr

    narrow = soxr.resample(speech_like(32_000).astype(np.float64), 16_000, SR, "HQ")
    assert_like_librosa(np.rint(narrow).clip(-32768, 32767).astype(np.int16))


@pytest.mark.parametrize("n", [1, 511, 512, 2047, 30_000])
def test_silence(n):
    found = features(np.zeros(n, np.int16))
    assert_like_librosa(np.zeros(n, np.int16))
    for name in ("rms", "zcr", "chroma", "mel"):
        assert not found[name].any()
    assert found["mfcc"][:, 0] == pytest.approx(-100 * 128**0.5, rel=1e-6)


def test_known_answers():
    """A sine of amplitude A has RMS A / sqrt 2, crosses zero 2 f times a second, and 440 Hz is an A."""
    y = np.rint(16384 * np.sin(2 * np.pi * 440 * np.arange(SR) / SR + 0.1)).astype(np.int16)
    inner = {name: value[4:-4] for name, value in features(y).items()}
    assert inner["rms"] == pytest.approx(0.5 / 2**0.5, rel=0.02)
    assert inner["zcr"] == pytest.approx(880 / SR, rel=0.03)
    assert (inner["chroma"].argmax(axis=1) == 9).all() and (inner["chroma"].max(axis=1) == 1).all()


@pytest.mark.parametrize("frame", range(10, 18))  # every place in a block
def test_a_frame_alone_determines_its_values(frame):
    y = speech_like(30_000)
    part = y[512 * frame - 1024 : 512 * frame + 1024]  # what it sees
    whole, alone = features(y), features(part)
    for name in DIMENSIONS:
        assert np.array_equal(whole[name][frame], alone[name][2])


@pytest.mark.parametrize("n", [1, 700, 2047, 20_000])
@pytest.mark.parametrize("make", [speech_like, lambda n: np.zeros(n, np.int16)])
def test_librosa_default_is_the_five_plain_calls(n, make):
    y = make(n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = features(y, "librosa_default")
    floats = y.astype(np.float32) / 32768
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "rms": librosa.feature.rms(y=floats),
            "zcr": librosa.feature.zero_crossing_rate(floats),
            "chroma": librosa.feature.chroma_stft(y=floats, sr=SR),
            "mfcc": librosa.feature.mfcc(y=floats, sr=SR, n_mfcc=20),
            "mel": librosa.feature.melspectrogram(y=floats, sr=SR),
        }
    for name, value in expected.items():
        assert found[name].shape == (n_frames(n), DIMENSIONS[name])
        assert np.array_equal(found[name], value.T.astype(np.float32)), name


def test_unknown_definition():
    with pytest.raises(ValueError, match="unknown definition"):
        features(noise(100), "mean")


def audio_rows() -> list[AudioRow]:
    lengths = [1, 700, 30_000, 2048, 9_999] * 9
    return [AudioRow(f"tess/{i:02d}", "tess", "tess/OAF", "sad", "original", 0, {}, noise(n, seed=i)) for i, n in enumerate(lengths)]


def test_step_writes_rows_aligned_with_the_shards(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    write_audio(layout.shards("tess"), audio_rows())
    labels.label(presets.demo(), "tess")
    pairs = list(read_aligned(layout.shards("tess"), layout.labels("tess")))
    assert len(pairs) == 45
    for audio, row in pairs:
        for name, value in features(audio.audio).items():
            assert np.array_equal(row.features[name], value)
    out, err = capfd.readouterr()
    assert not out and err.count("\n") <= 2 and "45 rows" in err


def test_bytes_are_the_same_with_more_workers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_audio(layout.shards("tess"), audio_rows())
    found = []
    for cores in ("1", "2"):
        monkeypatch.setenv("FINSER_CORES", cores)
        labels.label(presets.demo(), "tess")
        found.append((layout.labels("tess") / "part-00000.parquet").read_bytes())
    assert found[0] == found[1]


def test_importing_the_module_leaves_librosa_alone():
    code = "import sys, finser.features.labels; sys.exit('librosa' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif("FINSER_CORPORA" not in os.environ, reason="FINSER_CORPORA names no folder of real recordings")
def test_real_recordings():
    import soundfile
    import soxr

    root = Path(os.environ["FINSER_CORPORA"])
    paths = [path for corpus in ("RAVDESS", "CREMA-D", "TESS") for path in sorted((root / corpus).rglob("*.wav"))[::97][:4]]
    assert len(paths) >= 3
    worst = {of["clip"] for of in json.loads(TOLERANCES.read_text())["features"].values()}
    paths += [path for path in root.rglob("*.wav") if path.name in worst]
    for path in paths:
        y, rate = soundfile.read(path, always_2d=True)
        y = soxr.resample(y.mean(axis=1), rate, SR, "HQ")
        assert_like_librosa(np.rint(y * 32768).clip(-32768, 32767).astype(np.int16))


def test_the_documented_tolerances_are_those_that_hold_for_all_of_ravdess():
    said, text = json.loads(TOLERANCES.read_text()), (TOLERANCES.parent / "features.md").read_text()
    assert said["clips"] == 1440
    for name, of in said["features"].items():
        assert not of["above"] and LIMITS.get(name, 1e-6) == of["tolerance"]
    for number in (f"{said['frames']:,}", f"{said['features']['chroma']['absolute']:.1e}".replace("e-0", "e-")):
        assert number in text, f"docs/features.md does not say {number}"


@pytest.mark.parametrize("definition", ["frame", "librosa_default"])
@pytest.mark.parametrize("names", [("rms", "mel"), ("zcr",), ("mfcc",), ("chroma",), ()])
def test_some_features_have_the_bits_that_they_have_among_all(names, definition):
    y = (3000 * np.random.default_rng(0).standard_normal(20_000)).astype(np.int16)
    every, some = features(y, definition), features(y, definition, names)
    assert set(some) == set(names)
    for name in names:
        np.testing.assert_array_equal(some[name], every[name])
