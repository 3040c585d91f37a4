"""params.yaml as a whole: read, validated, and consistent."""

import json
from collections.abc import Set
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from finser.config.base import with_defaults
from finser.config.checks import contradictions
from finser.config.explain import absent, explain, faulty_keys, suggests, undecided_keys, without
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
            raise ValueError("\n".join(one.line for one in wrong))
        return self


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate params.yaml; keys that it leaves out have the schema's defaults.

    Raises
    ------
    FinserError
        The file is missing, is no YAML, or breaks the schema: one line per offending key says what was expected and what was found.
        Faulty keys and values, contradictions between other sections, and missing keys that DVC tracks are listed together.
    """
    values = read(path)
    params, wrong = _examine(values, path, {(name,) for name in Fields.in_files if name not in values})
    if params is not None:
        wrong += [one for one in absent(params, values, path) if not any(suggests(other, one) for other in wrong)]
    if wrong:
        raise FinserErrors(wrong)
    return params


def validate(values: Any, where: object = "params.yaml") -> Params:
    """Turn plain values into :class:`Params`; errors as in :func:`load`, but keys that DVC tracks may be missing."""
    params, wrong = _examine(values, where)
    if wrong:
        raise FinserErrors(wrong)
    return params


def _examine(values: Any, where: object, missing: Set[tuple[str, ...]] = frozenset()) -> tuple[Fields | None, list[FinserError]]:
    """Return parameters and all errors, without contradictions that depend on faulty or `missing` keys.

    With errors, the parameters are those of the file without its faulty keys, or None if the file has no keys.
    """
    old = old_keys(values)
    if old:
        more = f" and {len(old) - 3} more" if len(old) > 3 else ""
        raise FinserError(f"written for an earlier version of finser ({', '.join(old[:3])}{more})", where=where, do="run: finser migrate")
    try:
        return _of_type(Params, values), []
    except ValidationError as error:
        problems = [problem for problem in error.errors() if problem["loc"] or problem["type"] != "value_error"]  # no contradictions
    wrong = explain(problems, values, where, Params)
    rest, replaced = _with_valid_keys(values, problems)
    found = contradictions(rest) if rest is not None else []
    wrong += [FinserError(one.line, where=where) for one in found if not any(one.depends_on(path) for path in replaced | missing)]
    return rest, wrong


def _with_valid_keys(values: Any, problems: list[dict]) -> tuple[Fields | None, set[tuple[str, ...]]]:
    """Return parameters with the schema's defaults for faulty keys, and these keys; no parameters if the faults are in no key."""
    dropped, replaced = set(), set()
    while new := faulty_keys(problems) - dropped:
        dropped |= new
        replaced |= undecided_keys(problems)
        try:
            return _of_type(Fields, {"fetch": {}, **without(values, dropped)}), replaced
        except ValidationError as error:  # of a section that was invalid as a whole, too
            problems = error.errors()
    return None if dropped or not isinstance(values, dict) else _of_type(Fields, values), replaced


def _of_type(kind: type[Fields], values: Any) -> Fields:
    whole = with_defaults(values, kind) if isinstance(values, dict) else values
    return kind.model_validate_json(json.dumps(whole))  # JSON has lists for tuples


def json_schema() -> dict:
    """JSON schema of params.yaml, for editors."""
    return Params.model_json_schema()
