"""The interface of the five FINs, and their common code."""

import numpy as np
import torch
from torch import Tensor, nn

CHUNK = 128  # frames per forward pass outside training: a layer's output fits in the cache


class Fin(nn.Module):
    """A FIN: raw float32 frames (batch, 2048) of full scale 1 -> the feature (batch, dim) in librosa's unit.

    Its own weights are the parameters that require a gradient. Other parts are inherited: they were trained before, and are frozen.
    """

    feature = ""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the training loss of outputs and targets, both (batch, dim)."""
        raise NotImplementedError

    def closed_form(self) -> "Fin":
        """Set the FIN's own weights to librosa's formula, without training, and return the FIN."""
        raise NotImplementedError

    def set_scales(self, frames: Tensor, target: Tensor) -> None:
        """Compute constants (means, standard deviations) on training frames, if the topology has any."""


class SpectralFin(Fin):
    """A FIN on the powers of a front end. Several such FINs can share a front end, whose powers are then computed once."""

    def forward(self, frames: Tensor) -> Tensor:
        """Return the feature of frames (batch, 2048)."""
        unit, rms = normalise(frames)
        return self.of_powers(self.get_front_end()(unit), rms)

    def of_powers(self, powers: Tensor, rms: Tensor) -> Tensor:
        """Return the feature (batch, dim) from powers (batch, 1088) of frames of RMS 1, and from the frames' RMS (batch, 1)."""
        raise NotImplementedError

    def get_front_end(self) -> nn.Module:
        """Return the front end."""
        return self.front_end

    def set_front_end(self, front_end: nn.Module) -> None:
        """Replace the front end."""
        self.front_end = front_end


def normalise(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Scale frames to RMS 1, and return them with their RMS; digital silence stays zero.

    Parameters
    ----------
    frames : Tensor
        Shape (batch, 2048).

    Returns
    -------
    tuple of Tensor
        Shapes (batch, 2048) and (batch, 1).
    """
    rms = frames.square().mean(dim=1, keepdim=True).sqrt()
    return frames / torch.where(rms > 0, rms, 1), rms


def frozen(module: nn.Module) -> nn.Module:
    """Set a module to evaluation mode without gradients, and return it."""
    return module.eval().requires_grad_(False)


def count(module: nn.Module) -> dict[str, int]:
    """Return the numbers of parameters: own (trainable), inherited (frozen) and in total."""
    total = sum(parameter.numel() for parameter in module.parameters())
    own = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    return {"params": total, "params_own": own, "params_inherited": total - own}


@torch.no_grad()
def predict(fin: nn.Module, frames: np.ndarray) -> np.ndarray:
    """Return the outputs of a FIN, float32, shape (n, dim), for int16 frames (n, 2048), in chunks."""
    device = next(fin.parameters()).device
    chunks = [fin(as_float(torch.from_numpy(np.array(frames[start : start + CHUNK])), device)) for start in range(0, len(frames), CHUNK)]
    return torch.cat(chunks).cpu().numpy()


def as_float(frames: Tensor, device: str | torch.device) -> Tensor:
    """Convert int16 frames to float32 of full scale 1, on `device`."""
    return frames.to(device).float() / 32768
