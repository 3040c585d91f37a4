"""BYOL-S: three convolutions and two dense layers on log-mel spectrograms of 64 bands; 512 numbers per 80 ms.

Elbanna et al. (2022), "BYOL-S: Learning Self-supervised Speech Representations by Bootstrapping". The network is that of the published
checkpoint ``default512``, the AudioNTT2020 of Niizumi et al. (2021), "BYOL for Audio".
"""

from functools import cache

import librosa
import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from finser.encoders.base import RATE, Encoder

BANDS, N_FFT, HOP = 64, 1024, 160
LOWEST, HIGHEST = 60, 7800  # Hz
CHANNELS, WIDTH, BLOCKS, POOL = 64, 512, 3, 2
ROWS = BANDS // POOL**BLOCKS  # bands above the convolutions


class Net(nn.Module):
    """The published network; the names of its tensors are those of the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        channels = [1, *[CHANNELS] * BLOCKS]
        blocks = [
            (nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(POOL))
            for a, b in zip(channels, channels[1:], strict=False)
        ]
        self.features = nn.Sequential(*(layer for block in blocks for layer in block))
        self.fc = nn.Sequential(nn.Linear(CHANNELS * ROWS, WIDTH), nn.ReLU(), nn.Dropout(0.3), nn.Linear(WIDTH, WIDTH), nn.ReLU())


class ByolS(Encoder):
    """BYOL-S on spectrograms that are normalised clip by clip.

    Its publication normalises with mean and standard deviation of the training data. Statistics of a corpus would come from test clips,
    too, because the stage `embed` knows no folds. Those of the clip need no other clip, and remove the recording's level.

    The five hidden states are the outputs of the three blocks, and of the two dense layers. Frames are 20, 40, 80, 80 and 80 ms apart; the
    first two are averaged to 80 ms, and over neighbouring bands to 8 rows, so that every hidden state has 512 numbers per frame.
    """

    STATISTICS = ("mean", "sd", "max")  # the published embedding is the maximum plus the mean of the last hidden state
    shortest = N_FFT + HOP * POOL**BLOCKS

    def __init__(self) -> None:
        super().__init__(Net(), BLOCKS + 2, WIDTH)

    def prepare(self, samples: np.ndarray) -> np.ndarray:
        """Return the natural logarithm of HTK mel powers, with mean 0 and standard deviation 1 over all cells, shape (n_frames, 64)."""
        found = log_mel(samples)
        return (found - found.mean()) / max(found.std(), np.finfo(np.float32).eps)

    def n_frames(self, counts: Tensor) -> Tensor:
        """Return the number of frames of 80 ms; an incomplete one is left out, as by the network's pooling."""
        return (1 + counts // HOP) // POOL**BLOCKS

    def forward(self, inputs: Tensor, counts: Tensor) -> list[Tensor]:
        """Return the hidden states of normalised spectrograms (batch, t, 64), each (batch, t // 8, 512)."""
        x, states = inputs.transpose(1, 2)[:, None], []  # (batch, 1, bands, t)
        for number in range(BLOCKS):
            x = self.net.features[4 * number : 4 * number + 4](x)  # (batch, 64, bands / 2^n, t / 2^n)
            states.append(_in_rows(x, POOL ** (BLOCKS - 1 - number)))
        first = self.net.fc[:2](states[-1])
        return [*states, first, self.net.fc[2:](first)]

    def front_end(self) -> list[nn.Module]:
        """Return nothing: all of the network is trained."""
        return []

    def block(self, layer: int) -> list[nn.Module]:
        """Return a block of convolutions (layers 0 to 2) or a dense layer (3 and 4)."""
        return [self.net.features[4 * layer : 4 * layer + 4] if layer < BLOCKS else self.net.fc[3 * (layer - BLOCKS)]]


def build(_: dict) -> ByolS:
    """Return the network with random weights; it has one size."""
    return ByolS()


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of mel powers plus epsilon, float32, shape (1 + n_samples // 160, 64).

    ``librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=1024, hop_length=160, n_mels=64, fmin=60, fmax=7800, htk=True, norm=None,
    pad_mode="reflect")``, as torchaudio's ``MelSpectrogram`` in the published code.
    """
    power = np.abs(librosa.stft(samples, n_fft=N_FFT, hop_length=HOP, pad_mode="reflect")) ** 2  # (513, t)
    return np.log(_bank() @ power + np.finfo(np.float32).eps).T.astype(np.float32)


@cache
def _bank() -> np.ndarray:
    return librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=BANDS, fmin=LOWEST, fmax=HIGHEST, htk=True, norm=None)  # (64, 513)


def _in_rows(x: Tensor, factor: int) -> Tensor:
    """Average `factor` neighbouring frames and bands: (batch, 64, 8 factor, t factor) -> (batch, t, 512)."""
    if factor > 1:
        x = functional.avg_pool2d(x, factor)
    return x.permute(0, 3, 2, 1).flatten(2)
