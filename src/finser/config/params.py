"""params.yaml as a whole: read, validated, and consistent."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from finser.config.base import with_defaults
from finser.config.checks import contradictions
from finser.config.explain import absent, explain
from finser.config.fields import Fields
from finser.config.migrate import old_keys
from finser.config.reading import read
from finser.errors import FinserError, FinserErrors


class Params(Fields):
    """All of params.yaml."""

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        """Report every contradiction between sections at once."""
        wrong = contradictions(self)
        if wrong:
            raise ValueError("\n".join(wrong))
        return self


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate params.yaml; keys that it leaves out have the schema's defaults.

    Raises
    ------
    FinserError
        The file is missing, is no YAML, or breaks the schema: one line per offending key says what was expected and what was found.
        Keys and values are checked first, then contradictions between sections, then the keys that DVC tracks by name.
    """
    values = read(path)
    params = validate(values, path)
    missing = list(absent(params, values, path))
    if missing:
        raise FinserErrors(missing)
    return params


def validate(values: Any, where: object = "params.yaml") -> Params:
    """Turn plain values into :class:`Params`; errors as in :func:`load`, but keys that DVC tracks may be missing."""
    old = old_keys(values)
    if old:
        more = f" and {len(old) - 3} more" if len(old) > 3 else ""
        raise FinserError(f"written for an earlier version of finser ({', '.join(old[:3])}{more})", where=where, do="run: finser migrate")
    try:
        whole = with_defaults(values, Params) if isinstance(values, dict) else values
        return Params.model_validate_json(json.dumps(whole))  # JSON has lists for tuples
    except ValidationError as error:
        raise FinserErrors(explain(error.errors(), values, where, Params)) from None


def json_schema() -> dict:
    """JSON schema of params.yaml, for editors."""
    return Params.model_json_schema()
