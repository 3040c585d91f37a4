import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finser import kernels
from finser.labels import chroma_bank, mel_bank, triangles
from finser.seeds import generator


def test_triangles_are_librosas_bank():
    edges, rising, falling = triangles()
    bank = np.zeros_like(mel_bank())
    for band in range(len(bank)):
        up, down = slice(edges[band], edges[band + 1]), slice(edges[band + 1], edges[band + 2])
        bank[band, up], bank[band, down] = rising[up], falling[down]
    assert np.array_equal(bank, mel_bank())


@pytest.mark.parametrize("level", [1e-12, 1.0, 1e6])
def test_banks_are_matrix_products(level):
    power = (generator("power").random((8, 1025)) * level).astype(np.float32)
    mel, chroma = np.full((8, 128), np.nan, np.float32), np.full((8, 12), np.nan, np.float32)
    kernels.mel(power, *triangles(), mel)
    kernels.chroma(power, chroma_bank(), chroma)
    exact = power.astype(float)
    assert np.allclose(mel, exact @ mel_bank().T.astype(float), rtol=1e-6, atol=0)
    assert np.allclose(chroma, exact @ chroma_bank().T.astype(float), rtol=1e-6, atol=0)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 12))
def test_windowed(n_frames, first):
    padded = generator("pcm", n_frames).integers(-32_768, 32_767, 512 * (n_frames + 3), dtype=np.int16)
    window, out = generator("window").random(2048), np.full((4, 2048), np.nan)
    kernels.windowed(padded, first, window, out)
    for row, frame in enumerate(range(first, first + 4)):
        expected = padded[512 * frame :][:2048] * window if frame < n_frames else np.zeros(2048)
        assert np.array_equal(out[row], expected)


def test_power_is_of_the_spectrum_rounded_to_complex64():
    parts = generator("spectrum").standard_normal((2, 3, 1025))
    spectrum, out = parts[0] + 1j * parts[1], np.empty((3, 1025), np.float32)
    kernels.power(spectrum, out)
    rounded = spectrum.astype(np.complex64).astype(complex)
    assert np.allclose(out, np.abs(rounded) ** 2, rtol=2e-7, atol=0)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 99))
def test_hops(n, seed):
    padded = generator("hops", seed).integers(-32_768, 32_767, 512 * n, dtype=np.int16)
    padded[:1024] = 0
    squares, changes = np.empty(n, np.int64), np.empty(n, np.int64)
    kernels.hops(padded, squares, changes)
    signs = np.concatenate([[False], padded < 0])
    assert squares.tolist() == [int((padded[512 * i :][:512].astype(int) ** 2).sum()) for i in range(n)]
    assert changes.tolist() == [int((signs[1:] != signs[:-1])[512 * i :][:512].sum()) for i in range(n)]
