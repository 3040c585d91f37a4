"""openSMILE's functionals of stored clips, against opensmile called directly on files."""

import pickle
import sys
import warnings

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finser import layout
from finser.audio.frames import SR, to_int16
from finser.errors import FinserError
from finser.features import compare_2016, egemaps, open_smile, store
from finser.features.extract import features
from finser.features.rows import Row

opensmile = pytest.importorskip("opensmile")
SETS = [(egemaps, "eGeMAPSv02"), (compare_2016, "ComParE_2016")]


def row(audio: np.ndarray) -> Row:
    return Row("clip", "original", audio, {})


def voice(rate: int, seconds: float = 1.5) -> np.ndarray:
    """Harmonics below 6 kHz of a pitch that rises from 120 to 180 Hz and is interrupted, int16: the same sound at any rate."""
    time = np.arange(int(rate * seconds)) / rate
    phase = 2 * np.pi * (120 * time + 20 * time**2)
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 34))
    return to_int16(0.2 * harmonics * (np.sin(2 * np.pi * 1.7 * time) ** 2))[0]


def of_file(path, samples: np.ndarray, rate: int, name: str) -> np.ndarray:
    """Write samples as a wav file, and let opensmile read it."""
    soundfile.write(path, samples, rate, subtype="PCM_16")
    smile = opensmile.Smile(feature_set=getattr(opensmile.FeatureSet, name), feature_level=opensmile.FeatureLevel.Functionals)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a signal that is too short
        return smile.process_file(str(path)).to_numpy()[0]


@pytest.mark.parametrize(("module", "name"), SETS)
def test_functionals_equal_those_of_a_file_at_16_khz(module, name, tmp_path):
    audio = voice(SR)
    at_16k = to_int16(soxr.resample(audio / np.float32(32768), SR, 16_000))[0]
    found = module.of_row(row(audio))
    assert found.shape == (1, module.DIM) and found.dtype == np.float32
    assert np.array_equal(found[0], of_file(tmp_path / "clip.wav", at_16k, 16_000, name))


def test_functionals_are_those_of_the_sound_at_16_khz_and_not_at_the_stored_rate(tmp_path):
    """The sound is made at each rate by its formula: nothing here is resampled by the test."""
    wanted = of_file(tmp_path / "16k.wav", voice(16_000), 16_000, "eGeMAPSv02")
    stored = of_file(tmp_path / "22k.wav", voice(SR), SR, "eGeMAPSv02")
    scale = np.maximum(np.abs(wanted), 1e-3)
    ours, others = (np.median(np.abs(values - wanted) / scale) for values in (egemaps.of_row(row(voice(SR)))[0], stored))
    assert ours < 0.002 < 0.01 < others


@pytest.mark.parametrize(("module", "name"), SETS)
def test_the_sets_have_the_published_numbers_of_functionals(module, name):
    smile = opensmile.Smile(feature_set=getattr(opensmile.FeatureSet, name), feature_level=opensmile.FeatureLevel.Functionals)
    assert len(smile.feature_names) == module.DIM


def test_the_mean_pitch_is_that_of_the_sound():
    """Semitones above 27.5 Hz are the unit of the first functional."""
    time = np.arange(SR) / SR
    tone = to_int16(0.1 * sum(np.sin(2 * np.pi * 200 * k * time) for k in range(1, 6)))[0]
    assert egemaps.of_row(row(tone))[0, 0] == pytest.approx(12 * np.log2(200 / 27.5), abs=0.2)


def test_a_clip_that_exceeds_full_scale_when_resampled_does_not_wrap(tmp_path):
    """opensmile converts to int16 without limits: samples beyond full scale change their sign."""
    square = np.where(np.arange(SR) // 40 % 2, 32767, -32768).astype(np.int16)
    y = soxr.resample(square / np.float32(32768), SR, 16_000)
    assert np.abs(y).max() > 1.05
    found = egemaps.of_row(row(square))[0]
    assert np.array_equal(found, of_file(tmp_path / "scaled.wav", to_int16(y)[0], 16_000, "eGeMAPSv02"))
    wrapped = (np.rint(y * 32768).astype(np.int64) + 32768) % 65536 - 32768
    assert not np.allclose(found, of_file(tmp_path / "wrapped.wav", wrapped.astype(np.int16), 16_000, "eGeMAPSv02"), rtol=0.1)


@pytest.mark.parametrize(("module", "name"), SETS)
@pytest.mark.parametrize("size", [1, 220, 1300])
def test_a_clip_of_less_than_60_ms_is_padded_with_silence(module, name, size, tmp_path):
    audio = voice(SR)[9000 : 9000 + size]
    at_16k = to_int16(soxr.resample(audio / np.float32(32768), SR, 16_000))[0]
    assert np.isnan(of_file(tmp_path / "short.wav", at_16k, 16_000, name)).all(), "what opensmile gives"
    padded = np.concatenate([at_16k, np.zeros(960 - len(at_16k), np.int16)])
    assert np.array_equal(module.of_row(row(audio))[0], of_file(tmp_path / "padded.wav", padded, 16_000, name))


@pytest.mark.parametrize(("module", "name"), SETS)
@pytest.mark.parametrize("value", [0, 1, 9000, -32768])
def test_silence_and_constant_signals_have_finite_functionals(module, name, value):
    found = module.of_row(row(np.full(SR, value, np.int16)))
    assert np.isfinite(found).all()
    if module is egemaps:
        assert found[0, 0] == 0, "no pitch"


@settings(max_examples=20, deadline=None)
@given(arrays(np.int16, st.integers(1, 3000)))
def test_any_samples_have_finite_functionals(samples):
    assert np.isfinite(egemaps.of_row(row(samples))).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_an_error_of_one_line(monkeypatch, bad):
    monkeypatch.setattr(open_smile, "_smile", lambda name: lambda signal, rate: np.array([[[1.0], [bad], [2.0]]]))
    with pytest.raises(FinserError, match=r"^clip: openSMILE gives values of eGeMAPSv02 that are not finite; found 1 of 3 values; exclude"):
        egemaps.of_row(row(voice(SR)))


@pytest.mark.parametrize("use", [egemaps.reader, compare_2016.reader, lambda: egemaps.of_row(row(voice(SR)))])
def test_without_opensmile_one_line_says_how_to_get_it_and_its_licence(monkeypatch, use):
    open_smile._smile.cache_clear()
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(
        FinserError, match=r'opensmile, which .* is not installed; pip install "finser\[opensmile\]"; .*research'
    ) as refused:
        use()
    said = str(pickle.loads(pickle.dumps(refused.value)))
    assert said == str(refused.value) and "\n" not in said, "as it comes from a worker process"


def test_a_reader_gives_the_same_input_of_a_stored_row_and_of_samples():
    audio = voice(SR)
    stored = Row("clip", "original", None, {"egemaps": egemaps.of_row(row(audio))})
    convert = egemaps.reader().convert
    assert convert(stored).shape == (88,) and np.array_equal(convert(stored), convert(row(audio)))


def test_neither_repetition_nor_the_number_of_processes_changes_a_byte(project, params, monkeypatch):
    path, contents = layout.features("egemaps", "ravdess") / store.FILE, []
    for cores in ("1", "2"):
        monkeypatch.setenv("FINSER_CORES", cores)
        features(params, "ravdess", "egemaps")
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    stored = list(store.read(path.parent))
    assert len(stored) == len(list(store.read_names(layout.features("statistics", "ravdess"))))
    assert all(one.values.shape == (1, 88) and np.isfinite(one.values).all() for one in stored)
