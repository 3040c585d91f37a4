"""librosa's features of frames, in torch: the targets of frames that were changed on their way into a training."""

from functools import cache

import torch
from torch import Tensor

from finser.audio.frames import DIMENSIONS, N_FFT, SR
from finser.features.cepstrum import AMIN, N_MELS, dct_matrix

TINY = torch.finfo(torch.float32).tiny


@torch.no_grad()
def teach(feature: str, frames: Tensor) -> Tensor:
    """What librosa gives for frames (batch, 2048), float32 (batch, dim), in its units; docs/features.md has the calls.

    The transform is in float64, as librosa's is; tests hold the result against librosa.
    """
    if not len(frames):  # MKL transforms something or fails
        return frames.new_zeros(0, DIMENSIONS[feature])
    if feature == "rms":
        return frames.double().square().mean(dim=1, keepdim=True).sqrt().float()
    if feature == "zcr":
        negative = frames < 0
        return (negative[:, 1:] != negative[:, :-1]).float().sum(dim=1, keepdim=True) / N_FFT
    power = torch.fft.rfft(frames.double() * torch.hann_window(N_FFT, dtype=torch.float64, device=frames.device))  # (batch, 1025)
    power = power.abs().square().float()
    if feature == "chroma":
        classes = power @ _chroma_bank().to(frames.device)
        peak = classes.amax(dim=1, keepdim=True)
        return classes / torch.where(peak < TINY, 1, peak)
    mel = power @ _mel_bank().to(frames.device)
    return mel if feature == "mel" else mfcc(mel)


def mfcc(mel: Tensor) -> Tensor:
    """``librosa.feature.mfcc(S=power_to_db(mel, ref=1, amin=1e-10, top_db=None))`` of mel powers (batch, 128)."""
    dct = torch.from_numpy(dct_matrix()).to(mel)  # (20, 128)
    return 10 * mel.clamp_min(AMIN).log10() @ dct.T


@cache
def _mel_bank() -> Tensor:
    from librosa.filters import mel  # librosa's numba takes half a second to import

    return torch.from_numpy(mel(sr=SR, n_fft=N_FFT, n_mels=N_MELS)).T.contiguous()  # (1025, 128)


@cache
def _chroma_bank() -> Tensor:
    from librosa.filters import chroma

    return torch.from_numpy(chroma(sr=SR, n_fft=N_FFT, tuning=0.0, n_chroma=DIMENSIONS["chroma"])).T.contiguous()  # (1025, 12)
