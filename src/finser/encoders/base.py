"""The interface of all encoders, and what they share: masks of padding, and windows of long clips."""

import numpy as np
import torch
from torch import Tensor, nn

from finser.errors import FinserError

RATE = 16_000  # Hz, of every encoder's input


class Encoder(nn.Module):
    """A network from 16 kHz samples to hidden states.

    Attributes
    ----------
    net : nn.Module
        The published network; its ``state_dict`` has the names in models/weights/NAME/model.safetensors.
    n_layers, dim : int
        Number of hidden states, and width of each.
    STATISTICS : tuple of str
        Statistics over time that are stored of each hidden state: ``mean``, ``sd``, ``max``.
    masks_padding : bool
        Whether clips of different lengths may share a batch, because the network masks padding: it then changes no hidden state.
    shortest, window : int
        Samples of the shortest window that gives one frame, and of the longest. A shorter clip is padded with zeros, a longer one is
        encoded in several windows, so that memory is bounded.
    """

    STATISTICS: tuple[str, ...] = ("mean", "sd")
    masks_padding = False
    shortest = RATE // 40
    window = 30 * RATE

    def __init__(self, net: nn.Module, n_layers: int, dim: int) -> None:
        super().__init__()
        self.net, self.n_layers, self.dim = net, n_layers, dim

    def prepare(self, samples: np.ndarray) -> np.ndarray:
        """Return the network's input for the samples of a window in [-1, 1], shape (n_samples,); float32, the first axis is time."""
        raise NotImplementedError

    def n_frames(self, counts: Tensor) -> Tensor:
        """Return the number of frames of the hidden states of windows with `counts` samples, int64, (batch,)."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, counts: Tensor) -> list[Tensor]:
        """Return the hidden states of a padded batch of inputs, each (batch, t, dim), of windows with `counts` samples, (batch,).

        Frames beyond the end of a window (:meth:`n_frames`) are undefined.
        """
        raise NotImplementedError

    def front_end(self) -> list[nn.Module]:
        """Return the modules below the first hidden state that fine-tuning usually leaves as published."""
        raise NotImplementedError

    def block(self, layer: int) -> list[nn.Module]:
        """Return the modules that compute hidden state `layer` from the one below; those of layer 0 follow the front end."""
        raise NotImplementedError

    def recompute_activations(self) -> None:
        """Compute the activations of the layers again in the backward pass, instead of keeping them (gradient checkpointing).

        Raises
        ------
        FinserError
            The network cannot.
        """
        if not hasattr(self.net, "activation_checkpointing_enable"):
            raise FinserError("this encoder has no gradient checkpointing", where="gradient_checkpointing", expected="false", found="true")
        self.net.activation_checkpointing_enable({"use_reentrant": False})

    def attention(self) -> list[nn.Linear]:
        """Return the products of the attention that low-rank updates change: queries and values (Hu et al. 2021, "LoRA")."""
        return []


def windows(samples: np.ndarray, shortest: int, longest: int) -> list[np.ndarray]:
    """Cut samples into windows of up to `longest` samples.

    The last window is as long as the rest. A rest of fewer than `shortest` samples is left out. Fewer than `shortest` samples in all are
    padded with zeros.
    """
    if len(samples) < shortest:
        return [np.pad(samples, (0, shortest - len(samples)))]
    found = [samples[start : start + longest] for start in range(0, len(samples), longest)]
    return [window for window in found if len(window) >= shortest]


def padded(inputs: list[np.ndarray]) -> Tensor:
    """Return inputs padded with zeros at the end of their first axis, (batch, t, ...)."""
    return nn.utils.rnn.pad_sequence([torch.from_numpy(one) for one in inputs], batch_first=True)


def within(n_frames: Tensor, length: int) -> Tensor:
    """Return which frames of a padded batch belong to a clip, bool, (batch, `length`)."""
    return torch.arange(length, device=n_frames.device) < n_frames[:, None]
