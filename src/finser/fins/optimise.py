"""The optimiser that all FINs share."""

from collections.abc import Iterable

import torch
from torch.nn import Parameter

BETAS = (0.95, 0.97)  # short memories: the gradient's size falls by decades within one training, and Adam must follow


def adam(
    parameters: Iterable[Parameter], learning_rate: float, steps: int, decades: float
) -> tuple[torch.optim.Adam, torch.optim.lr_scheduler.ExponentialLR]:
    """Adam whose learning rate decays exponentially by `decades` powers of ten over `steps` steps.

    The targets are noise-free and representable, so the error falls with the learning rate as long as that is lowered slowly.
    """
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, betas=BETAS, eps=1e-16)
    return optimiser, torch.optim.lr_scheduler.ExponentialLR(optimiser, 10 ** (-decades / steps))
