"""What a training returns."""

from typing import NamedTuple


class TrainingRecord(NamedTuple):
    """What a training returns beside the weights.

    Attributes
    ----------
    history : list of dict
        One record per epoch; all have the same keys.
    seconds : float
        Duration of all epochs, those before a kill included.
    seconds_before : float
        Time before the first epoch of this process: normalisation, and features that are computed once.
    """

    history: list[dict]
    seconds: float
    seconds_before: float = 0.0
