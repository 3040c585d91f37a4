"""Optimisers with learning-rate schedules that step once per mini-batch."""

from collections.abc import Iterable

from torch.nn import Parameter
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

WARM_UP = 0.15  # fraction of the steps in which the one-cycle learning rate rises
BETAS = (0.95, 0.97)  # of FINs; short averages, since the gradient's norm falls by decades within a run, and Adam must follow
HOLD = 0.2  # fraction of the steps before a FIN's learning rate falls: symmetric random weights need large steps first

Optimisation = tuple[Optimizer, LRScheduler]


def adamw_one_cycle(groups: list[dict], weight_decay: float, steps: int) -> Optimisation:
    """AdamW with a one-cycle learning rate, which rises and then falls to zero; for classifiers and pretraining.

    Parameters
    ----------
    groups : list of dict
        Parameter groups ``{"params": ..., "lr": ...}``, each with its peak learning rate.
    weight_decay : float
        Weight decay of the groups that set none.
    steps : int
        Number of mini-batches in the whole run.
    """
    optimizer = AdamW(groups, weight_decay=weight_decay)
    peaks = [group["lr"] for group in groups]
    return optimizer, OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=WARM_UP, cycle_momentum=False)


def adam_hold_then_decay(parameters: Iterable[Parameter], learning_rate: float, steps: int, decades: float) -> Optimisation:
    """Adam with a learning rate that is constant at first and then decays exponentially; for FINs.

    The learning rate is constant for a fifth of the steps, then falls by `decades` powers of ten. A FIN's targets are free of noise and a
    FIN can represent them, so its error falls with the learning rate, if that falls slowly.
    """
    optimizer = Adam(parameters, lr=learning_rate, betas=BETAS, eps=1e-16, fused=True)  # few weights: a step is mostly call overhead

    def factor(step: int) -> float:
        """Return the factor on the initial learning rate at a step."""
        return 10 ** (-decades * max(0.0, step / steps - HOLD) / (1 - HOLD))

    return optimizer, LambdaLR(optimizer, factor)
