"""The mel scale and its filter bank, against librosa's, bit by bit."""

import librosa
import numpy as np

from finser.audio.frames import N_FFT, SR
from finser.features.mel_scale import band_centres, mel_bank, mel_points


def test_corners_and_centres_are_librosas():
    wanted = librosa.mel_frequencies(130, fmin=0.0, fmax=SR / 2)
    np.testing.assert_array_equal(mel_points(), wanted)
    np.testing.assert_array_equal(band_centres(), wanted[1:-1])


def test_the_bank_is_librosas():
    wanted = librosa.filters.mel(sr=SR, n_fft=N_FFT)
    np.testing.assert_array_equal(mel_bank(), wanted)
    assert mel_bank().dtype == wanted.dtype
