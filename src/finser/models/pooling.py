"""From frames to one vector per clip: the mean over time, plain statistics, or statistics under learned weights."""

import torch
from torch import Tensor, nn


class Pool(nn.Module):
    """Mean and standard deviation over the frames that count.

    Parameters
    ----------
    channels : int
        Width of the input; the output is twice as wide.
    kind : {'attention', 'statistics'}
        Whether frames are weighted by a small network (Okabe et al. 2018, attentive statistics pooling) or all alike.
    """

    def __init__(self, channels: int, kind: str = "attention") -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(channels, 64), nn.Tanh(), nn.Linear(64, 1)) if kind == "attention" else None

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, t, channels) and bool (batch, t), True where a frame counts -> (batch, 2 channels)."""
        score = x.new_zeros(x.shape[:2]) if self.score is None else self.score(x).squeeze(2)  # (batch, t)
        weight = score.masked_fill(~mask, -torch.inf).softmax(1).unsqueeze(2)  # (batch, t, 1)
        mean = (weight * x).sum(1)
        variance = (weight * (x - mean[:, None]) ** 2).sum(1)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


class Mean(nn.Module):
    """Mean over the frames that count: nothing is learned, and no deviation kept."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, t, channels) and bool (batch, t), True where a frame counts -> (batch, channels)."""
        counts = mask.unsqueeze(2)  # (batch, t, 1)
        return (x * counts).sum(1) / counts.sum(1)


def frame_mask(n_frames: Tensor, length: int, step: int = 1) -> Tensor:
    """Bool, shape (batch, length): True for the steps of `step` frames that hold any of the first `n_frames` (batch,) of a clip."""
    n_steps = (n_frames + step - 1) // step  # (batch,)
    return torch.arange(length, device=n_frames.device) < n_steps[:, None]
