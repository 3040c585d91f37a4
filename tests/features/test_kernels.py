import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finser.features import kernels
from finser.features.labels import chroma_bank, mel_bank, triangles
from finser.seeds import generator


def test_triangles_are_librosas_bank():
    edges, rising, falling = triangles()
    bank = np.zeros_like(mel_bank())
    for band in range(len(bank)):
        up, down = slice(edges[band], edges[band + 1]), slice(edges[band + 1], edges[band + 2])
        bank[band, up], bank[band, down] = rising[up], falling[down]
    assert np.array_equal(bank, mel_bank())


@pytest.mark.parametrize("level", [1e-6, 1.0, 1e3])
def test_bands_are_matrix_products_of_powers_of_the_rounded_spectrum(level):
    parts = generator("spectrum").standard_normal((2, 8, 1025)) * level
    mel, chroma = np.full((8, 128), np.nan, np.float32), np.full((8, 12), np.nan, np.float32)
    kernels.bands(parts[0] + 1j * parts[1], *triangles(), chroma_bank(), mel, chroma)
    power = (parts.astype(np.float32).astype(float) ** 2).sum(axis=0)
    assert np.allclose(mel, power @ mel_bank().T.astype(float), rtol=1e-6, atol=0)
    assert np.allclose(chroma, power @ chroma_bank().T.astype(float), rtol=1e-6, atol=0)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 12))
def test_windowed(n_frames, first):
    padded = generator("pcm", n_frames).integers(-32_768, 32_767, 512 * (n_frames + 3), dtype=np.int16)
    window, out = generator("window").random(2048), np.full((4, 2048), np.nan)
    kernels.windowed(padded, first, window, out)
    for row, frame in enumerate(range(first, first + 4)):
        expected = padded[512 * frame :][:2048] * window if frame < n_frames else np.zeros(2048)
        assert np.array_equal(out[row], expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 99))
def test_levels(n_frames, seed):
    padded = generator("levels", seed).integers(-32_768, 32_767, 512 * (n_frames + 3), dtype=np.int16)
    padded[:1024] = 0
    rms, zcr = np.empty(n_frames, np.float32), np.empty(n_frames, np.float32)
    kernels.levels(padded, rms, zcr)
    framed = np.stack([padded[512 * t :][:2048] for t in range(n_frames)]).astype(float)
    assert np.array_equal(rms, (np.sqrt((framed**2).mean(axis=1)) / 32_768).astype(np.float32))
    assert np.array_equal(zcr, (np.diff(framed < 0, axis=1).sum(axis=1) / 2048).astype(np.float32))
