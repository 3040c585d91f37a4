"""The published FINs as a baseline: dense networks and Conv1d networks on raw frames, after their authors' code and saved models.

github.com/hl2347/fin_speech_emotion_recognition: RMS 66,241 parameters, ZCR 263,057, chroma 894,412 (their table says 900 K), MFCC 822,420,
mel 983,680. All initial weights are random (Keras's default: Glorot uniform, biases zero). The losses are theirs: MAE for chroma, MSE for
the others. The last layers of RMS and ZCR are linear here. Whether theirs were is not recorded; with a ReLU such an output may be zero from
the start, and then gets no gradient.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finser.audio.frames import DIMENSIONS, N_FFT
from finser.fins.nets.base import Fin


@dataclass(frozen=True)
class Plan:
    """Layers of one of the networks: a convolution with ReLU and max-pooling (none in a dense network), then dense layers."""

    hidden: tuple[int, ...]
    channels: int = 0
    kernel: int = 0
    stride: int = 1
    pool: int = 1
    pool_stride: int = 1
    rectified: bool = False  # ReLU after the last layer
    absolute: bool = False  # mean absolute error as the loss


PLANS = {
    "rms": Plan((32, 16, 8)),
    "zcr": Plan((32, 32, 32), channels=16, kernel=16, stride=4),
    "chroma": Plan((256, 128, 64), channels=256, kernel=512, pool=256, pool_stride=128, rectified=True, absolute=True),
    "mfcc": Plan((256, 128), channels=256, kernel=512, pool=512, pool_stride=110),
    "mel": Plan((), channels=512, kernel=512, pool=256, pool_stride=128, rectified=True),
}


class ReferenceNet(Fin):
    """(batch, 2048) -> (batch, dim), the published network of a feature.

    Parameters
    ----------
    feature : str
        One of :data:`PLANS`.
    generator : torch.Generator, optional
        Generator of the random initial weights.
    """

    def __init__(self, feature: str, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.feature, self.plan = feature, PLANS[feature]
        plan, width = self.plan, N_FFT
        if plan.channels:
            self.kernels = _glorot(plan.kernel, plan.channels, plan.kernel, plan.kernel * plan.channels, generator)
            self.kernels_bias = nn.Parameter(torch.zeros(plan.channels))
            positions = (N_FFT - plan.kernel) // plan.stride + 1
            width = plan.channels * ((positions - plan.pool) // plan.pool_stride + 1)
        sizes = (width, *plan.hidden, DIMENSIONS[feature])
        self.weights = nn.ParameterList(_glorot(a, b, a, b, generator) for a, b in zip(sizes, sizes[1:], strict=False))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(size)) for size in sizes[1:])

    def forward(self, frames: Tensor) -> Tensor:
        """Return the feature in librosa's unit."""
        hidden = self._convolved(frames) if self.plan.channels else frames
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = torch.relu(hidden @ weight + bias)
        output = hidden @ self.weights[-1] + self.biases[-1]
        return torch.relu(output) if self.plan.rectified else output

    def _convolved(self, frames: Tensor) -> Tensor:
        # unfold and a product: twice as fast on a CPU as conv1d with one input channel
        windows = frames.unfold(1, self.plan.kernel, self.plan.stride)  # (batch, positions, kernel)
        maps = torch.relu(windows @ self.kernels + self.kernels_bias).transpose(1, 2)  # (batch, channels, positions)
        return F.max_pool1d(maps, self.plan.pool, self.plan.pool_stride).flatten(1)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean absolute error for chroma, mean squared error for the others."""
        return F.l1_loss(output, target) if self.plan.absolute else F.mse_loss(output, target)


def _glorot(rows: int, columns: int, fan_in: int, fan_out: int, generator: torch.Generator | None) -> nn.Parameter:
    bound = (6 / (fan_in + fan_out)) ** 0.5
    return nn.Parameter(bound * (2 * torch.rand(rows, columns, generator=generator) - 1))
