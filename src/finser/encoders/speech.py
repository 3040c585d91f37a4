"""wav2vec 2.0, HuBERT, WavLM and Data2Vec-audio, by transformers: raw samples in, a transformer above a convolutional front end.

Baevski et al. (2020), "wav2vec 2.0"; Hsu et al. (2021), "HuBERT"; Chen et al. (2022), "WavLM"; Baevski et al. (2022), "data2vec".
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from finser.encoders.base import Encoder, within
from finser.errors import FinserError

CLASSES = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM", "data2vec": "Data2VecAudio"}  # family -> name in transformers
EPSILON = 1e-7  # of the variance, as in ``transformers.Wav2Vec2FeatureExtractor``


def build(config: dict) -> "SpeechEncoder":
    """Return the network of a config.json, with random weights.

    Raises
    ------
    FinserError
        There is no preprocessor_config.json, or the network has an adapter.
    """
    import transformers  # takes seconds

    name, preprocessor = CLASSES[config["family"]], config["preprocessor"]
    if not preprocessor:
        do = "copy the publisher's one beside config.json: it tells whether samples are normalised"
        raise FinserError("no preprocessor_config.json, or an empty one", where=f"an encoder of the family {config['family']}", do=do)
    options = getattr(transformers, f"{name}Config").from_dict(architecture(config))
    if getattr(options, "add_adapter", False):
        raise FinserError("an adapter behind the layers, which finser does not run", where="config.json, add_adapter", expected="false")
    return SpeechEncoder(getattr(transformers, f"{name}Model")(options), normalised=bool(preprocessor.get("do_normalize", True)))


def architecture(config: dict) -> dict:
    """Return the keys of a config.json that are the publisher's."""
    return {name: value for name, value in config.items() if name not in ("family", "preprocessor", "origin")}


class SpeechEncoder(Encoder):
    """A transformer on raw samples.

    The hidden states are those of transformers' ``output_hidden_states``: the input of the first layer, and the output of each layer. The
    last one is ``last_hidden_state``, behind the final norm of the networks that have one.
    Layer dropout is off: it would leave hidden states out in training.

    Attributes
    ----------
    normalised : bool
        Whether the samples of a window are scaled to mean 0 and variance 1 (``do_normalize`` in preprocessor_config.json).
    """

    def __init__(self, net: nn.Module, *, normalised: bool) -> None:
        super().__init__(net, net.config.num_hidden_layers + 1, net.config.hidden_size)
        net.config.layerdrop = 0.0
        self.normalised = normalised
        self.masks_padding = net.config.model_type != "data2vec-audio"  # its positional convolutions have several layers, without masks
        self.over_time = getattr(net.config, "feat_extract_norm", "layer") == "group"  # the front end normalises over time

    def prepare(self, samples: np.ndarray) -> np.ndarray:
        """Return the samples, scaled as ``transformers.Wav2Vec2FeatureExtractor`` scales them if the publisher's model asks for it."""
        if self.normalised:
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + EPSILON)
        return samples.astype(np.float32)

    def n_frames(self, counts: Tensor) -> Tensor:
        """Return the number of frames of 20 ms that the convolutions give."""
        return self.net._get_feat_extract_output_lengths(counts).long()

    def forward(self, inputs: Tensor, counts: Tensor) -> list[Tensor]:
        """Return the hidden states of samples (batch, n); frames beyond a clip's end are undefined."""
        frames, n_frames = self._front_end(inputs, counts), self.n_frames(counts)  # (batch, t, channels), (batch,)
        mask = within(n_frames, frames.shape[1])
        projected = self.net.feature_projection(frames)
        hidden = projected[0] if isinstance(projected, tuple) else projected  # (batch, t, dim)
        hidden = self._masked(hidden, n_frames) if self.training else hidden
        with recorded(self.net.encoder.layers) as states:
            last = self.net.encoder(hidden, attention_mask=mask).last_hidden_state
        return [*states[:-1], last]

    def front_end(self) -> list[nn.Module]:
        """Return the convolutions."""
        return [self.net.feature_extractor]

    def block(self, layer: int) -> list[nn.Module]:
        """Return a transformer layer; layer 0 is the projection and the positional embedding.

        The norm outside of the layers belongs to layer 0, or, in networks that normalise before each layer, to the last.
        """
        inner, before = self.net.encoder, getattr(self.net.config, "do_stable_layer_norm", False)
        norm = [inner.layer_norm] if layer == (self.n_layers - 1 if before else 0) else []
        return [inner.layers[layer - 1], *norm] if layer else [self.net.feature_projection, inner.pos_conv_embed, *norm]

    def attention(self) -> list[nn.Linear]:
        """Return the products of queries and values in every layer."""
        return [getattr(block.attention, name) for block in self.net.encoder.layers for name in ("q_proj", "v_proj")]

    def _masked(self, hidden: Tensor, n_frames: Tensor) -> Tensor:
        """Replace spans of frames by the trained mask, and spans of channels by zeros, as config.json asks for in fine-tuning.

        As transformers' ``_mask_hidden_states``, which draws from NumPy's global generator; these spans are drawn from torch's, which
        every epoch seeds.
        """
        config = self.net.config
        if not getattr(config, "apply_spec_augment", True):
            return hidden
        if config.mask_time_prob:
            times = spans(n_frames, hidden.shape[1], config.mask_time_prob, config.mask_time_length, config.mask_time_min_masks)
            hidden = torch.where(times.to(hidden.device)[:, :, None], self.net.masked_spec_embed.to(hidden.dtype), hidden)
        if config.mask_feature_prob:
            sizes = torch.full_like(n_frames, hidden.shape[2])
            options = (config.mask_feature_prob, config.mask_feature_length, config.mask_feature_min_masks)
            hidden = torch.where(spans(sizes, hidden.shape[2], *options).to(hidden.device)[:, None], 0.0, hidden)
        return hidden

    def _front_end(self, inputs: Tensor, counts: Tensor) -> Tensor:
        """Return the frames of the convolutions, (batch, t, channels).

        Where they normalise over time, each clip passes alone: padding would change its mean and variance.
        """
        if not self.over_time or bool((counts == inputs.shape[1]).all()):
            return self.net.feature_extractor(inputs).transpose(1, 2)
        alone = [self.net.feature_extractor(clip[None, :count])[0].T for clip, count in zip(inputs, counts.tolist(), strict=True)]
        return nn.utils.rnn.pad_sequence(alone, batch_first=True)


def spans(sizes: Tensor, length: int, probability: float, width: int, least: int) -> Tensor:
    """Draw spans of `width` places below each of `sizes` from torch's generator: bool, (batch, `length`).

    A row has ``probability * size / width`` spans, rounded at random to one of both neighbours, and at least `least`, as far as they fit.
    Spans may overlap, so that fewer places are covered than `probability` says. Source: ``transformers``'s ``_compute_mask_indices``.
    """
    covered = torch.zeros(len(sizes), length, dtype=torch.bool)
    for row, size in zip(covered, sizes.tolist(), strict=True):
        count = min(max(int(probability * size / width + float(torch.rand(()))), least), size // width)
        for start in torch.randperm(size - width + 1)[:count].tolist() if count else ():
            row[start : start + width] = True
    return covered


@contextmanager
def recorded(layers: nn.ModuleList) -> Iterator[list[Tensor]]:
    """Collect the input of the first layer and the output of every layer, each (batch, t, dim)."""
    states: list[Tensor] = []

    def before(_: nn.Module, args: tuple, kwargs: dict) -> None:
        """Add the input of the first layer."""
        states.append(args[0] if args else kwargs["hidden_states"])

    def after(_: nn.Module, __: tuple, output: Tensor | tuple) -> None:
        """Add the output of a layer."""
        states.append(output[0] if isinstance(output, tuple) else output)

    hooks = [layers[0].register_forward_pre_hook(before, with_kwargs=True), *(layer.register_forward_hook(after) for layer in layers)]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()
