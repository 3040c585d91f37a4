"""Optimisers with their learning-rate schedules; a schedule takes one step per mini-batch."""

from collections.abc import Iterable

from torch.nn import Parameter
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

WARM_UP = 0.15  # fraction of the steps in which the one-cycle rate rises
BETAS = (0.95, 0.97)  # of FINs; short memories: the gradient's size falls by decades within one training, and Adam must follow
HOLD = 0.2  # fraction of the steps before a FIN's learning rate falls: symmetric random weights need a push first

Optimisation = tuple[Optimizer, LRScheduler]


def adamw_one_cycle(groups: list[dict], weight_decay: float, steps: int) -> Optimisation:
    """AdamW with a learning rate that rises and then falls to zero; for classifiers and pretraining.

    Parameters
    ----------
    groups : list of dict
        Parameter groups ``{"params": ..., "lr": ...}``, each with the peak of its learning rate.
    weight_decay : float
        Of the groups that name none.
    steps : int
        Mini-batches of the whole training.
    """
    optimizer = AdamW(groups, weight_decay=weight_decay)
    peaks = [group["lr"] for group in groups]
    return optimizer, OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=WARM_UP, cycle_momentum=False)


def adam_hold_then_decay(parameters: Iterable[Parameter], learning_rate: float, steps: int, decades: float) -> Optimisation:
    """Adam with a learning rate that is constant for a fifth of the steps, then falls exponentially by `decades` powers of ten; for FINs.

    A FIN's targets are free of noise and within its reach, so its error falls with the learning rate, if that falls slowly.
    """
    optimizer = Adam(parameters, lr=learning_rate, betas=BETAS, eps=1e-16, fused=True)  # a FIN has few weights: steps cost mostly calls

    def factor(step: int) -> float:
        """What the learning rate is multiplied by at a step."""
        return 10 ** (-decades * max(0.0, step / steps - HOLD) / (1 - HOLD))

    return optimizer, LambdaLR(optimizer, factor)
