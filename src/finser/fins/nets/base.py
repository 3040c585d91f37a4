"""What the five FINs have in common."""

import os

import numpy as np
import torch
from torch import Tensor, nn

CHUNK = 128  # frames per forward pass outside training: what a layer holds stays in the cache


class Fin(nn.Module):
    """A FIN: raw float32 frames (batch, 2048) of full scale 1 -> the feature (batch, dim) in librosa's unit.

    Its own weights are the parameters that require a gradient; what it inherits, trained before, is frozen.
    """

    feature = ""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """What training makes small; shapes (batch, dim)."""
        raise NotImplementedError

    def closed_form(self) -> "Fin":
        """Set the FIN's own weights to librosa's formula and return it: what it then gives, it has not learned."""
        raise NotImplementedError

    def set_scales(self, frames: Tensor, target: Tensor) -> None:
        """Take constants (means, deviations) from training frames, where a topology has any."""


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


def start_torch() -> str:
    """One thread, and the device: ``"cuda"`` where there is one, else ``"cpu"``.

    FINs are so small that more threads mostly wait for one another (on a busy machine sixtyfold), and the bytes of a model must
    not depend on a job's cores. On a GPU everything stays in float32, too (errors of 1e-5 are what is measured), and operations are
    taken that repeat themselves, where there are any.
    """
    torch.set_num_threads(1)
    if not torch.cuda.is_available():
        return "cpu"
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself only with a workspace of its own
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    return "cuda"


@torch.no_grad()
def predict(fin: nn.Module, frames: np.ndarray) -> np.ndarray:
    """Outputs of a FIN, float32, shape (n, dim), for int16 frames (n, 2048), in chunks."""
    device = next(fin.parameters()).device
    chunks = [fin(as_float(torch.from_numpy(np.array(frames[start : start + CHUNK])), device)) for start in range(0, len(frames), CHUNK)]
    return torch.cat(chunks).cpu().numpy()


def as_float(frames: Tensor, device: str | torch.device) -> Tensor:
    """int16 frames as float32 of full scale 1, on `device`."""
    return frames.to(device).float() / 32768
