"""Read YAML with DVC's reader and settings, and write values that it reads back unchanged."""

import io
import re
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.constructor import DuplicateKeyError

from finser.errors import FinserError
from finser.files import why

DEEPEST = 20  # levels of a file; params.yaml has 6


def read(path: Path = Path("params.yaml")) -> dict[str, Any]:
    """The values of a YAML file, as DVC reads them: YAML 1.2, by the same reader with the same settings.

    ``1e-3`` is a float, ``036`` is 36, ``yes`` and ``on`` are text, and merge keys (``<<: *name``) are filled in. The values are
    dictionaries with text as keys, lists, text, integers, floats, booleans and None.

    Raises
    ------
    FinserError
        The file cannot be read, is no YAML, holds a key twice or a date; one line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do="run in the project's root, or write one: finser preset demo") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FinserError(f"cannot be read ({why(error)})", where=path) from None
    return deepcopy(parse(text, path))


@lru_cache(maxsize=8)
def parse(text: str, path: Path) -> dict[str, Any]:
    """Return the values of a YAML text; errors name `path`. Cached, because a job reads params.yaml and dvc.yaml several times."""
    try:
        values = YAML(typ="safe").load(text) or {}  # dvc.utils.serialize.parse_yaml
    except DuplicateKeyError as error:
        key = re.search(r'duplicate (?:merge )?key "(.*?)"', error.problem)
        raise FinserError(f"key '{key[1] if key else '?'}' occurs twice, line {error.problem_mark.line + 1}", where=path) from None
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that does not exist
        raise FinserError(f"not YAML ({_reason(error)})", where=path) from None
    if not isinstance(values, dict):
        raise FinserError("holds no keys", where=path, expected="lines such as `seed: 0`", found=shown(values))
    return _plain(values, (), path)


def shown(value: Any) -> str:
    """A value of a YAML file in words, with its type where the spelling does not show it."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"{value!r} (text)"
    return "a section" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)


def flow(value: Any) -> str:
    """A value as one line of YAML, which :func:`read` reads back: text that looks like a number is put in quotes."""
    yaml, text = YAML(typ="safe"), io.StringIO()
    yaml.default_flow_style, yaml.width, yaml.allow_unicode, yaml.sort_base_mapping_type_on_output = True, 10_000, True, False
    yaml.dump(value, text)
    return text.getvalue().removesuffix("...\n").strip("\n")


def _reason(error: Exception) -> str:
    """Return the error in a YAML text, with its line."""
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error) or type(error).__name__
    return said if mark is None else f"{said}, line {mark.line + 1}"


def _plain(value: Any, path: tuple[str, ...], where: object) -> Any:
    """The same value without YAML's rarer types, which neither the schema nor dvc.lock knows."""
    if len(path) > DEEPEST:
        raise FinserError(f"{'.'.join(path[:3])} is nested more than {DEEPEST} levels deep, or contains itself", where=where)
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise FinserError(f"the key {shown(key)} is no text", where=where, do="put it in quotes")
        return {key: _plain(inner, (*path, key), where) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, (*path, str(number)), where) for number, inner in enumerate(value)]
    if value is None or isinstance(value, str | int | float):
        return value
    kind = type(value).__name__
    raise FinserError(f"{'.'.join(path)}: a value of type {kind}", where=where, found=str(value), do="put it in quotes if it is text")
