"""ResNet-18 (He et al. 2016) with one input channel on log-mel spectrograms, by transformers."""

import torch
from torch import Tensor, nn

from finser.config.sections.classifiers import Resnet18
from finser.features.log_mel import frame_numbers, reader
from finser.models.network import SpectrogramClassifier
from finser.models.pooling import Mean, Pool, frame_mask

__all__ = ["Resnet18Net", "begin", "frame_numbers", "reader"]
STAGES = (1, 2, 4, 8)  # channels of the stages, in multiples of the width


class Resnet18Net(nn.Module):
    """``transformers.ResNetModel`` of basic blocks, the mean over bands, pooling, dropout, Linear: 11,174,344 weights with eight classes.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    bands : int
        Mel bands.
    width : int
        Channels of the first stage; 64 is ResNet-18.
    pooling : {'mean', 'statistics', 'attention'}
        Pooling over time: the mean, as published; or mean and standard deviation with equal or trained weights of the steps.
    """

    TRUNK = ("resnet",)  # the modules that pretraining trains
    TIME_STEP = 32  # frames per output step

    def __init__(self, n_classes: int, bands: int = 64, width: int = 64, pooling: str = "mean", dropout: float = 0.4) -> None:
        from transformers import ResNetConfig, ResNetModel  # takes seconds

        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("scale", torch.ones(bands))
        widths = [width * times for times in STAGES]
        config = ResNetConfig(num_channels=1, embedding_size=width, hidden_sizes=widths, depths=[2] * 4, layer_type="basic")
        self.resnet = ResNetModel(config)
        self.dropout = nn.Dropout(dropout)
        self.pool = Mean() if pooling == "mean" else Pool(widths[-1], pooling)
        self.out = nn.Linear(widths[-1] * (1 if pooling == "mean" else 2), n_classes)

    def forward(self, x: Tensor, n_frames: Tensor) -> Tensor:
        """Return logits (batch, classes) of normalised spectrograms (batch, t, bands), of which the first `n_frames` (batch,) are valid."""
        steps = self.trunk(x)  # (batch, t / 32, 8 width)
        mask = frame_mask(n_frames, steps.shape[1], self.TIME_STEP)
        return self.out(self.dropout(self.pool(steps, mask)))

    def trunk(self, x: Tensor) -> Tensor:
        """Average the feature maps over bands: (batch, t, bands) -> (batch, t / 32, 8 width)."""
        return self.resnet(x.unsqueeze(1)).last_hidden_state.mean(3).transpose(1, 2)


def begin(options: Resnet18, n_classes: int) -> SpectrogramClassifier:
    """Return a network with random weights from torch's generator."""
    return SpectrogramClassifier(Resnet18Net(n_classes, options.log_mel.bands, options.width, options.pooling, options.dropout), options)
