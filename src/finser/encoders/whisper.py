"""The encoder of Whisper (Radford et al. 2022), by transformers: log-mel spectrograms of 30 s in, a transformer above two convolutions."""

import numpy as np
import torch
from torch import Tensor, nn

from finser.encoders.base import RATE, Encoder
from finser.encoders.speech import architecture, recorded

FRAME = 320  # samples per frame of the hidden states


def build(config: dict) -> "WhisperEncoder":
    """Return the network of a config.json, with random weights."""
    from transformers import WhisperConfig, WhisperFeatureExtractor  # takes seconds
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as Net

    options = WhisperConfig.from_dict(architecture(config))
    return WhisperEncoder(Net(options), WhisperFeatureExtractor(feature_size=options.num_mel_bins))


class WhisperEncoder(Encoder):
    """Whisper's encoder; its decoder is not used.

    Its input is always as long as 30 s, padded with silence, as in its training, so that every clip costs as much as one of 30 s. The
    hidden states of the silence are left out. The hidden states are those of transformers' ``output_hidden_states``; the last one is
    ``last_hidden_state``.
    """

    masks_padding = True  # every input has one length, whatever its batch

    def __init__(self, net: nn.Module, extractor) -> None:  # noqa: ANN001
        super().__init__(net, net.config.encoder_layers + 1, net.config.d_model)
        net.layerdrop = 0.0  # it would leave hidden states out in training
        self.extractor, self.window = extractor, net.config.max_source_positions * FRAME

    def prepare(self, samples: np.ndarray) -> np.ndarray:
        """Return ``transformers.WhisperFeatureExtractor`` of the samples, padded with silence, shape (3000, bands)."""
        with torch.autocast("cpu", enabled=False):  # validation prepares its inputs in the precision of the training
            found = self.extractor(samples, sampling_rate=RATE, max_length=self.window, return_tensors="np")
        return found.input_features[0].T.astype(np.float32)

    def n_frames(self, counts: Tensor) -> Tensor:
        """Return the number of frames of 20 ms that hold samples of the window."""
        return (counts + FRAME - 1) // FRAME

    def forward(self, inputs: Tensor, counts: Tensor) -> list[Tensor]:
        """Return the hidden states of spectrograms (batch, 3000, bands), each (batch, 1500, dim)."""
        with recorded(self.net.layers) as states:
            last = self.net(inputs.transpose(1, 2)).last_hidden_state
        return [*states[:-1], last]

    def front_end(self) -> list[nn.Module]:
        """Return the convolutions, and the position embeddings, which are not trained."""
        return [self.net.conv1, self.net.conv2, self.net.embed_positions]

    def block(self, layer: int) -> list[nn.Module]:
        """Return a transformer layer; layer 0 has none, and the norm behind the layers belongs to the last."""
        last = [self.net.layer_norm] if layer == self.n_layers - 1 else []
        return [self.net.layers[layer - 1], *last] if layer else []

    def attention(self) -> list[nn.Linear]:
        """Return the products of queries and values in every layer."""
        return [getattr(block.self_attn, name) for block in self.net.layers for name in ("q_proj", "v_proj")]
