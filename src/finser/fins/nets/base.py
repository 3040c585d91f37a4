"""The interface of the five FINs, and what all of them use."""

import numpy as np
import torch
from torch import Tensor, nn

CHUNK = 128  # frames per forward pass outside training: what a layer holds stays in the cache


class Fin(nn.Module):
    """A FIN: raw float32 frames (batch, 2048) of full scale 1 -> the feature (batch, dim) in librosa's unit.

    Its own weights are the parameters that require a gradient; the parts that it inherits are trained before, and frozen.
    """

    feature = ""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The training loss of outputs and targets, both (batch, dim)."""
        raise NotImplementedError

    def closed_form(self) -> "Fin":
        """Set the FIN's own weights to librosa's formula, without training, and return the FIN."""
        raise NotImplementedError

    def set_scales(self, frames: Tensor, target: Tensor) -> None:
        """Take constants (means, deviations) from training frames, where a topology has any."""


class SpectralFin(Fin):
    """A FIN on the powers of a front end: several of them can share one, whose powers are then computed once."""

    def forward(self, frames: Tensor) -> Tensor:
        """The feature of frames (batch, 2048)."""
        unit, rms = normalise(frames)
        return self.of_powers(self.get_front_end()(unit), rms)

    def of_powers(self, powers: Tensor, rms: Tensor) -> Tensor:
        """The feature (batch, dim) from the front end's powers (batch, 1088) of frames of RMS 1, and the frames' RMS (batch, 1)."""
        raise NotImplementedError

    def get_front_end(self) -> nn.Module:
        """The front end."""
        return self.front_end

    def set_front_end(self, front_end: nn.Module) -> None:
        """Use another front end."""
        self.front_end = front_end


def normalise(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Frames of RMS 1, and their RMS; digital silence stays zero.

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
    """The same module, in evaluation mode and without gradients."""
    return module.eval().requires_grad_(False)


def count(module: nn.Module) -> dict[str, int]:
    """Numbers of parameters: own (they learn), inherited (frozen) and in total."""
    total = sum(parameter.numel() for parameter in module.parameters())
    own = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    return {"params": total, "params_own": own, "params_inherited": total - own}


@torch.no_grad()
def predict(fin: nn.Module, frames: np.ndarray) -> np.ndarray:
    """Outputs of a FIN, float32, shape (n, dim), for int16 frames (n, 2048), in chunks."""
    device = next(fin.parameters()).device
    chunks = [fin(as_float(torch.from_numpy(np.array(frames[start : start + CHUNK])), device)) for start in range(0, len(frames), CHUNK)]
    return torch.cat(chunks).cpu().numpy()


def as_float(frames: Tensor, device: str | torch.device) -> Tensor:
    """int16 frames as float32 of full scale 1, on `device`."""
    return frames.to(device).float() / 32768
