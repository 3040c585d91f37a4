"""Statistics over time of a clip's hidden states: what is stored of an encoder."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finser.encoders.base import RATE, Encoder, padded, windows, within
from finser.encoders.sound import sound_of
from finser.errors import FinserError

BUDGET = {"cpu": 0.0, "cuda": 120.0}  # seconds of sound per batch, at least one window: a CPU gains nothing from batches


@dataclass
class Sums:
    """Sums over the frames of a clip; each array is float64, (n_layers, dim).

    Attributes
    ----------
    frames : int
        Number of frames.
    """

    frames: int
    first: np.ndarray
    second: np.ndarray
    largest: np.ndarray

    def add(self, other: "Sums") -> None:
        """Add the frames of another window of the same clip."""
        self.frames += other.frames
        self.first = self.first + other.first
        self.second = self.second + other.second
        self.largest = np.maximum(self.largest, other.largest)

    def statistics(self, names: tuple[str, ...]) -> np.ndarray:
        """Return ``mean``, ``sd`` (population) and ``max`` over the frames, as `names` asks for, float64, (n_layers, len(names) * dim)."""
        mean = self.first / self.frames
        found = {"mean": mean, "sd": np.sqrt(np.maximum(self.second / self.frames - mean**2, 0)), "max": self.largest}
        return np.hstack([found[name] for name in names])


def of_clips(encoder: Encoder, clips: list[np.ndarray]) -> list[np.ndarray]:
    """Return the statistics of clips without their silent ends, float16, each (n_layers, n_statistics * dim).

    A long clip passes in windows, and its statistics are over the frames of all of them. Windows of similar length share a batch on a GPU;
    padding changes nothing. The device is that of the encoder.

    Parameters
    ----------
    encoder : Encoder
        In evaluation mode.
    clips : list of np.ndarray
        int16 samples at 22,050 Hz, each of shape (n,).

    Raises
    ------
    FinserError
        A statistic is not finite, or exceeds the range of float16.
    """
    pieces = [(number, window) for number, clip in enumerate(clips) for window in windows(sound_of(clip), encoder.shortest, encoder.window)]
    totals: dict[int, Sums] = {}
    for batch in batches([len(window) for _, window in pieces], encoder):
        for place, sums in zip(batch, _sums(encoder, [pieces[place][1] for place in batch]), strict=True):
            number = pieces[place][0]
            if number in totals:
                totals[number].add(sums)
            else:
                totals[number] = sums
    return [_half(totals[number].statistics(encoder.STATISTICS)) for number in range(len(clips))]


def batches(lengths: list[int], encoder: Encoder) -> Iterator[list[int]]:
    """Yield the places of windows that share a batch, the shortest windows first.

    Windows of different lengths share one only if the encoder masks padding. A batch is at most as long as `BUDGET`, with its padding.
    """
    budget = BUDGET[next(encoder.parameters()).device.type] * RATE
    held: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        alike = encoder.masks_padding or not held or lengths[held[-1]] == lengths[place]
        if held and not (alike and (len(held) + 1) * lengths[place] <= budget):
            yield held
            held = []
        held.append(place)
    if held:
        yield held


@torch.no_grad()
def _sums(encoder: Encoder, samples: list[np.ndarray]) -> list[Sums]:
    """Return the sums of each of some windows."""
    device = next(encoder.parameters()).device
    counts = torch.tensor([len(window) for window in samples], device=device)  # (batch,)
    states = encoder(padded([encoder.prepare(window) for window in samples]).to(device), counts)
    n_frames = encoder.n_frames(counts)
    layers = [_over_time(state, n_frames) for state in states]  # layers x (batch, 3, dim)
    table = torch.stack(layers, 1).cpu().numpy()  # (batch, layers, 3, dim)
    return [Sums(frames, *one.swapaxes(0, 1)) for frames, one in zip(n_frames.tolist(), table, strict=True)]


def _over_time(state: Tensor, n_frames: Tensor) -> Tensor:
    """Return sum, sum of squares and maximum over the frames of each clip: (batch, t, dim) -> float64, (batch, 3, dim)."""
    valid = within(n_frames, state.shape[1])[:, :, None]  # (batch, t, 1)
    values = torch.where(valid, state.double(), 0.0)
    largest = torch.where(valid, state, -torch.inf).amax(1).double()
    return torch.stack([values.sum(1), (values**2).sum(1), largest], 1)


def _half(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        found = values.astype(np.float16)
    if not np.isfinite(found).all():
        worst = float(np.abs(values).max())
        raise FinserError("a hidden state does not fit in float16", expected="values up to 65,504", found=worst)
    return found
