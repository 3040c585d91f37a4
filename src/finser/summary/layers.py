"""Layers of encoders: the weight of each layer in a trained sum, or the validation UAR of each layer that a probe tried."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def layers_of(found: Mapping[int, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Summarise over folds and seeds what the trainings of a classifier on an encoder found about its layers.

    Parameters
    ----------
    found : Mapping
        Fold -> ``found`` of each seed, as metrics.json has it; no seeds for a classifier without an encoder.

    Returns
    -------
    dict
        ``score`` (``weight``; or ``validation_uar``, with the best C of each layer), and its ``mean``, ``low`` and ``high`` (minimum and
        maximum), each with one number per layer. Of a probe also ``chosen``: fold -> the layer of the first seed. Empty without an
        encoder, and of a probe that had no choice between layers.
    """
    trainings = [one for seeds in found.values() for one in seeds]
    if not trainings:
        return {}
    if "layer_weights" in trainings[0]:
        return {"score": "weight", **_over_trainings([one["layer_weights"] for one in trainings])}
    if len({candidate["layer"] for candidate in trainings[0]["tried"]}) < 2:
        return {}
    chosen = {str(fold): seeds[0]["layer"] for fold, seeds in found.items()}
    return {"score": "validation_uar", **_over_trainings([_best_of_layers(one["tried"]) for one in trainings]), "chosen": chosen}


def _best_of_layers(tried: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return the best validation UAR of each layer over all C, in the order of the layers."""
    best: dict[int, float] = {}
    for candidate in tried:
        layer = candidate["layer"]
        best[layer] = max(best.get(layer, 0.0), candidate["validation_uar"])
    return [best[layer] for layer in sorted(best)]


def _over_trainings(each: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    table = np.array(each)  # (trainings, layers)
    return {name: of(0).tolist() for name, of in (("mean", table.mean), ("low", table.min), ("high", table.max))}
