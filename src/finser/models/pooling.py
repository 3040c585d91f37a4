"""Pooling over time, from frames to one vector per clip (mean, mean and standard deviation, or attentive statistics), and over layers."""

import torch
from torch import Tensor, nn


class Pool(nn.Module):
    """Mean and standard deviation over the valid frames.

    Parameters
    ----------
    channels : int
        Width of the input; the output is twice as wide.
    kind : {'attention', 'statistics'}
        Whether a small network weights the frames (attentive statistics pooling, Okabe et al. 2018), or all have one weight.
    """

    def __init__(self, channels: int, kind: str = "attention") -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(channels, 64), nn.Tanh(), nn.Linear(64, 1)) if kind == "attention" else None

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, t, channels) and a bool mask of the valid frames (batch, t) -> (batch, 2 channels)."""
        score = x.new_zeros(x.shape[:2]) if self.score is None else self.score(x).squeeze(2)  # (batch, t)
        weight = score.masked_fill(~mask, -torch.inf).softmax(1).unsqueeze(2)  # (batch, t, 1)
        mean = (weight * x).sum(1)
        variance = (weight * (x - mean[:, None]) ** 2).sum(1)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


class Mean(nn.Module):
    """Mean over the valid frames, without trained weights."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, t, channels) and a bool mask of the valid frames (batch, t) -> (batch, channels)."""
        counts = mask.unsqueeze(2)  # (batch, t, 1)
        return (x * counts).sum(1) / counts.sum(1)


class WeightedLayers(nn.Module):
    """Weighted sum over the layers of an encoder; the weights are the softmax of trained parameters, and equal at first.

    Source: SUPERB (Yang et al. 2021, "SUPERB: Speech Processing Universal PERformance Benchmark").
    """

    def __init__(self, n_layers: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(n_layers))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, layers, ...) -> (batch, ...)."""
        return torch.tensordot(self.logits.softmax(0), x.float(), dims=([0], [1]))

    def weights(self) -> list[float]:
        """Return the weight of each layer; their sum is 1."""
        return self.logits.detach().double().softmax(0).tolist()


def frame_mask(n_frames: Tensor, length: int, step: int = 1) -> Tensor:
    """Return a bool mask, shape (batch, length).

    A step of `step` frames is True if it contains any of the first `n_frames` (batch,) frames of a clip.
    """
    n_steps = (n_frames + step - 1) // step  # (batch,)
    return torch.arange(length, device=n_frames.device) < n_steps[:, None]
