import librosa
import numpy as np
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from finser.features.cepstrum import FLOOR, N_MELS, N_MFCC, dct_matrix, decibels
from finser.seeds import generator


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.floats(-14, 6))
def test_decibels_are_librosas(seed, level):
    mel = (generator("mel", seed).random((7, N_MELS)) * 10**level).astype(np.float32)
    assert np.abs(decibels(mel) - librosa.power_to_db(mel, amin=FLOOR, top_db=None)).max() < 2e-5
    assert decibels(mel).dtype == np.float32


def test_floor_is_minus_100_db():
    assert np.allclose(decibels(np.zeros(3)), -100)


def test_dct_matrix_gives_librosas_mfcc():
    values = generator("dct").standard_normal((N_MELS, 5))
    assert np.allclose(dct_matrix() @ values, librosa.feature.mfcc(S=values, n_mfcc=N_MFCC))
    assert np.allclose(dct_matrix(), scipy.fft.dct(np.eye(N_MELS), axis=0, norm="ortho")[:20])
