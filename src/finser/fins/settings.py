"""Comparison of a trained model's settings with those of params.yaml."""

import json
from pathlib import Path
from typing import Any

from finser.errors import FinserError

AGAIN = "train it again: dvc repro"


def check_settings(config: dict, now: dict, where: Path, again: str = AGAIN, made: str = "trained") -> None:
    """Raise an error if a model was trained, or otherwise `made`, with other settings than params.yaml has now.

    Parameters
    ----------
    config : dict
        The model's config.json, whose ``options`` are its settings.
    now : dict
        The settings of params.yaml, in JSON's types; keys without a value may be missing on either side.

    Raises
    ------
    FinserError
        The message names the first setting that differs, its value in params.yaml and its value in the model.
    """
    other = _difference(config.get("options", {}), now)
    if other:
        key, trained, wanted = other
        raise FinserError(
            f"was {made} with another value of {key} than params.yaml has", where=where, expected=wanted, found=trained, do=again
        )


def _difference(trained: Any, now: Any, *above: str) -> tuple[str, Any, Any] | None:
    """Return the first key whose values differ, and both values; values of different types differ."""
    if not (isinstance(trained, dict) and isinstance(now, dict)):
        return None if json.dumps(trained) == json.dumps(now) else (".".join(above), trained, now)
    found = (_difference(trained.get(key), now.get(key), *above, key) for key in sorted(trained.keys() | now.keys()))
    return next(filter(None, found), None)
