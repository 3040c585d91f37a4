"""The optimiser that all FINs share."""

from collections.abc import Iterable

import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR

BETAS = (0.95, 0.97)  # short memories: the gradient's size falls by decades within one training, and Adam must follow
HOLD = 0.2  # share of the steps before the learning rate falls: symmetric random starts need a push first


def adam(parameters: Iterable[Parameter], learning_rate: float, steps: int, decades: float) -> tuple[torch.optim.Adam, LambdaLR]:
    """Adam whose learning rate stays for a fifth of the steps, then falls exponentially by `decades` powers of ten.

    The targets are noise-free and representable, so the error falls with the learning rate as long as that is lowered slowly.
    """
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, betas=BETAS, eps=1e-16)

    def factor(step: int) -> float:
        """What the learning rate is multiplied by at a step."""
        return 10 ** (-decades * max(0.0, step / steps - HOLD) / (1 - HOLD))

    return optimiser, LambdaLR(optimiser, factor)
