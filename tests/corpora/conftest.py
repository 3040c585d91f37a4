from pathlib import Path

import numpy as np
import pytest
import soundfile

from finser.params import Local, Params, Synthetic

CORPORA = ("ravdess", "crema_d", "tess", "savee", "esd")


@pytest.fixture
def write_wav():
    """Write a short tone; another `hertz` gives other bytes."""

    def write(path: Path, hertz: float = 440.0, sr: int = 16_000, gain: float = 0.5, n: int = 1_600, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        tone = gain * np.sin(2 * np.pi * hertz * np.arange(n) / sr)
        soundfile.write(path, options.pop("samples", tone), sr, **{"format": "WAV", "subtype": "PCM_16"} | options)
        return path

    return write


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project as the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def params_with():
    """Params in which one corpus has the given source."""

    def build(corpus: str, source=None, **sections) -> Params:
        source = source or Local(source="local", path="somewhere", files=1, bytes=1, allow_partial=True)
        return Params(fetch={name: source if name == corpus else Synthetic() for name in CORPORA}, **sections)

    return build
