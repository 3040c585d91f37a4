"""Conditions of the robustness tests of FINs: other levels, white noise, narrower bands."""

from collections.abc import Callable, Iterable

import numpy as np
import soxr
import torch
from torch import Tensor

from finser.audio.frames import SR, frames, to_float, to_int16
from finser.config.params import Params
from finser.fins.frames.data import choose, clip_ids, rows
from finser.fins.frames.targets import Targets
from finser.fins.nets.base import CHUNK, Fin
from finser.seeds import generator

SIZE = 3_000  # frames per condition


def _gain(db: float) -> Callable:
    return lambda y, draws: y * np.float32(10 ** (db / 20))


def _noise(snr_db: float) -> Callable:
    def change(y: np.ndarray, draws: np.random.Generator) -> np.ndarray:
        """Add white noise."""
        deviation = np.sqrt((y.astype(float) ** 2).mean() / 10 ** (snr_db / 10))
        return rounded(y + deviation * draws.standard_normal(len(y)))

    return change


def _origin(sr: int) -> Callable:
    def change(y: np.ndarray, draws: np.random.Generator) -> np.ndarray:
        """Resample to `sr` and back."""
        there = soxr.resample(y.astype(float), SR, sr, quality="HQ")
        back = soxr.resample(there, sr, SR, quality="HQ")
        return rounded(np.pad(back, (0, max(0, len(y) - len(back))))[: len(y)])

    return change


CONDITIONS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "unchanged": _gain(0),
    "gain_-20_dB": _gain(-20),
    "gain_+20_dB": _gain(20),
    "noise_20_dB": _noise(20),
    "noise_10_dB": _noise(10),
    "noise_0_dB": _noise(0),
    "origin_16_kHz": _origin(16_000),
    "origin_8_kHz": _origin(8_000),
}


def rounded(y: np.ndarray) -> np.ndarray:
    """Round samples of full scale 1 to int16's steps, as in a recording; scale down what exceeds full scale."""
    return to_float(to_int16(y)[0])


def frames_under(condition: str, params: Params, feature: str, device: str | torch.device) -> tuple[list[Tensor], np.ndarray]:
    """Draw frames of the test speakers' clips under a condition.

    Gain is applied in float, so that +20 dB may exceed full scale. Noise is white, with the SNR of the whole clip. Band limits are applied
    by resampling to the given rate and back.

    Returns
    -------
    parts : list of Tensor
        Frames of each clip, float32, shape (n, 2048), on `device`.
    labels : np.ndarray
        Labels of all frames, float32, shape (n, dim).
    """
    corpora = params.train_fin.data.corpora
    wanted = clip_ids(params, corpora, "test")
    targets, labels, parts = Targets(feature).to(device), [], []
    for i, (audio, label) in enumerate(rows(corpora, feature, wanted, ("original",))):
        chosen = choose(params.seed, audio, len(label), SIZE * (i + 1) // len(wanted) - SIZE * i // len(wanted))
        if not len(chosen):  # there are more clips than frames to draw
            continue
        changed = CONDITIONS[condition](to_float(audio.audio), generator(params.seed, condition, audio.clip_id))
        parts.append(torch.from_numpy(frames(changed.astype(np.float32))[chosen]).to(device))  # (n, 2048)
        labels.append(targets(parts[-1]).cpu().numpy())  # (n, dim)
    return parts, np.concatenate(labels)


@torch.no_grad()
def outputs(fin: Fin, parts: Iterable[Tensor]) -> np.ndarray:
    """Return the outputs of a FIN, float32, shape (n, dim), for the frames of :func:`frames_under`."""
    return np.concatenate([fin(piece).cpu().numpy() for part in parts for piece in part.split(CHUNK)])
