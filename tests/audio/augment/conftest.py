"""A corpus of three speakers and a folder of noise."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from finser import layout
from finser.audio.frames import to_int16
from finser.audio.shards import AudioRow, write_audio
from finser.config.schema import Augment
from finser.corpora.folders import digest
from finser.seeds import generator

SPEAKERS = ("DC", "JE", "KL")
ALL = ("noise", "noise_snr", "speed_pitch", "reverberation", "gain", "band_limit", "babble", "noise_file")


def voice(name: str, seconds: float = 1.0, frequency: float = 150.0) -> np.ndarray:
    """Vowel-like: gliding harmonics under two formants and an envelope, with a little breath; float64."""
    draws = generator("voice", name)
    t = np.arange(round(22050 * seconds)) / 22050
    f0 = frequency * (1 + 0.1 * np.sin(2 * np.pi * 2 * t + draws.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(f0) / 22050
    peaks = [np.exp(-(((k * frequency - 600) / 300) ** 2)) + 0.5 * np.exp(-(((k * frequency - 1500) / 400) ** 2)) for k in range(1, 30)]
    y = sum(peak * np.sin(k * phase) for k, peak in enumerate(peaks, start=1))
    y = y / np.abs(y).max() * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t)) * 0.4
    return y + 0.002 * draws.standard_normal(len(t))


def make_row(speaker: str, number: int, seconds: float = 1.0) -> AudioRow:
    """One original of the corpus."""
    clip_id = f"savee/{speaker}/a{number:02d}"
    return AudioRow(clip_id, "savee", f"savee/{speaker}", "angry", "original", 1, {"gain": 1.0}, to_int16(voice(clip_id, seconds))[0])


@pytest.fixture(scope="session")
def row():
    """Makes originals: speaker, number, seconds."""
    return make_row


@pytest.fixture(scope="session")
def noise_folder(tmp_path_factory) -> Path:
    """Three recordings in ESC-50's layout: one whole, one that is silent after a beginning, one of another rate, in stereo."""
    folder = tmp_path_factory.mktemp("ESC-50")
    (folder / "audio").mkdir()
    (folder / "meta").mkdir()
    noise = 0.1 * generator("noise files").standard_normal((3, 44100))
    noise[1, 2000:] = 0
    soundfile.write(folder / "audio/1-1-A-0.wav", noise[0], 22050)
    soundfile.write(folder / "audio/1-2-A-1.wav", noise[1], 44100)
    soundfile.write(folder / "audio/1-3-A-2.wav", noise[[2, 0]].T, 48000)
    with (folder / "meta/esc50.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["filename", "category"], ["1-1-A-0.wav", "rain"], ["1-2-A-1.wav", "dog"], ["1-3-A-2.wav", "sea"]])
    return folder


@pytest.fixture(scope="session")
def settings(noise_folder) -> Augment:
    """Every variant there is."""
    files = list(noise_folder.rglob("*.wav"))
    found = {"folder": noise_folder, "files": len(files), "bytes": sum(file.stat().st_size for file in files)}
    found["digest"] = digest(noise_folder, [path.relative_to(noise_folder) for path in files])
    return Augment(variants=ALL, noise_file=found, babble={"talkers": 3})


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project with the corpus savee: 3 speakers, 15 clips each, of different lengths; the test runs inside it."""
    monkeypatch.chdir(tmp_path)
    rows = [make_row(speaker, number, 0.1 + 0.02 * number) for speaker in SPEAKERS for number in range(15)]
    write_audio(layout.audio("savee"), rows)
    return tmp_path
