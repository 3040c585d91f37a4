"""librosa's features of frames, in torch: targets for augmented and synthetic training frames.

librosa takes one signal at a time; this is its definition for a batch of frames.
"""

from functools import cache

import torch
from torch import Tensor, nn

from finser.audio.decibels import FLOOR
from finser.audio.frames import DIMENSIONS, N_FFT, SR
from finser.features.cepstrum import N_MELS, dct_matrix

TINY = torch.finfo(torch.float32).tiny


class Targets(nn.Module):
    """Frames (batch, 2048) -> librosa's feature, float32 (batch, dim), in its unit; docs/features.md has the calls.

    The transform is in float32, as in the FINs, which takes a third of the time of librosa's float64. Tests compare the result with
    librosa's.

    Parameters
    ----------
    feature : str
        Name of the feature.
    """

    def __init__(self, feature: str) -> None:
        super().__init__()
        self.feature = feature
        self.register_buffer("window", torch.hann_window(N_FFT))
        bank = {"chroma": _chroma_bank, "mel": _mel_bank, "mfcc": _mel_bank}.get(feature)
        self.register_buffer("bank", bank() if bank else torch.empty(0))  # (1025, bands)
        self.register_buffer("dct", torch.from_numpy(dct_matrix()).float().T)  # (128, 20)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        """Return the feature of each frame."""
        if not len(frames):  # MKL fails on an empty batch
            return frames.new_zeros(0, DIMENSIONS[self.feature])
        if self.feature == "rms":
            return frames.double().square().mean(dim=1, keepdim=True).sqrt().float()
        if self.feature == "zcr":
            negative = frames < 0
            return (negative[:, 1:] != negative[:, :-1]).float().sum(dim=1, keepdim=True) / N_FFT
        spectrum = torch.view_as_real(torch.fft.rfft(frames * self.window))  # (batch, 1025, 2)
        bands = spectrum.square().sum(dim=2) @ self.bank  # (batch, 12 or 128)
        if self.feature == "chroma":
            peak = bands.amax(dim=1, keepdim=True)
            return bands / torch.where(peak < TINY, 1, peak)
        return bands if self.feature == "mel" else 10 * bands.clamp_min(FLOOR).log10() @ self.dct


@cache
def _mel_bank() -> Tensor:
    from librosa.filters import mel  # imports numba, which takes half a second

    return torch.from_numpy(mel(sr=SR, n_fft=N_FFT, n_mels=N_MELS)).T.contiguous()  # (1025, 128)


@cache  # librosa takes .4 s
def _chroma_bank() -> Tensor:
    from librosa.filters import chroma

    return torch.from_numpy(chroma(sr=SR, n_fft=N_FFT, tuning=0.0, n_chroma=DIMENSIONS["chroma"])).T.contiguous()  # (1025, 12)
