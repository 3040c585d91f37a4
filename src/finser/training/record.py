"""Result of a training run."""

from typing import NamedTuple


class TrainingRecord(NamedTuple):
    """Result of a training run, apart from the weights.

    Attributes
    ----------
    history : list of dict
        One record per epoch; all have the same keys.
    seconds : float
        Duration of all epochs, including those before a kill.
    seconds_before : float
        Duration of the preparation in this process: normalisation, and features that are computed once.
    """

    history: list[dict]
    seconds: float
    seconds_before: float = 0.0
