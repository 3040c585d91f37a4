"""Whether a trained model is one of the settings that params.yaml has now."""

import json
from pathlib import Path
from typing import Any

from finser.errors import FinserError

AGAIN = "train it again: dvc repro"


def check_settings(config: dict, now: dict, where: Path, again: str = AGAIN, made: str = "trained") -> None:
    """Refuse a model that was trained, or otherwise `made`, with other settings than params.yaml has now.

    Parameters
    ----------
    config : dict
        Its config.json, whose ``options`` are the settings.
    now : dict
        The settings of params.yaml, as JSON has them; keys without a value may be missing on either side.

    Raises
    ------
    FinserError
        Names the first setting that differs, what params.yaml has and what the model was trained with.
    """
    other = _difference(config.get("options", {}), now)
    if other:
        key, trained, wanted = other
        raise FinserError(
            f"was {made} with another value of {key} than params.yaml has", where=where, expected=wanted, found=trained, do=again
        )


def _difference(trained: Any, now: Any, *above: str) -> tuple[str, Any, Any] | None:
    """The first key whose values differ, and both; values of unlike types differ, too."""
    if not (isinstance(trained, dict) and isinstance(now, dict)):
        return None if json.dumps(trained) == json.dumps(now) else (".".join(above), trained, now)
    found = (_difference(trained.get(key), now.get(key), *above, key) for key in sorted(trained.keys() | now.keys()))
    return next(filter(None, found), None)
