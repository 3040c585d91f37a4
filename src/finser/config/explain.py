"""Validation errors of pydantic in plain words, one line each."""

import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from finser.config.base import NAME, PublishedCorpus, Section, as_written, required
from finser.config.reading import flow, shown
from finser.config.sections.classifiers import KINDS, PUBLISHED
from finser.config.sections.fetch import SOURCES
from finser.config.sections.known_weights import KNOWN
from finser.errors import FinserError, nearest

TAGGED = {"fetch": (SOURCES, "source"), "train_classifier": (KINDS, "model"), "fine_tune": (KINDS, "model")}  # maps of several kinds
WORD, NUMBER = "literal[", "constrained-int"  # pydantic's names of the types of a key that holds a name or a number
EXPECTED = {  # pydantic's names of wrong types
    "bool_type": "true or false",
    "dict_type": "a section: keys with values",
    "float_type": "a number, without quotes",
    "int_type": "a whole number, without quotes and decimal point",
    "model_type": "a section: keys with values",
    "model_attributes_type": "a section: keys with values",
    "string_type": "text",
    "tuple_type": "a list",
}


def explain(problems: list[dict], values: Any, where: object, whole: type[BaseModel]) -> list[FinserError]:
    """A line for every complaint; one about a list is left out if another one is about a part of the list.

    Parameters
    ----------
    problems : list of dict
        As ``pydantic.ValidationError.errors()`` gives them.
    values : object
        The values of the file.
    where : object
        The file, for messages.
    whole : type
        The model of the whole file.
    """
    problems = [one for one in problems if not _of_other_type(one)]
    deepest = [one for one in problems if not any(_within(other["loc"], one["loc"]) for other in problems)]
    return [line for problem in deepest for line in _explain(problem, values, where, whole)]


def absent(section: Section, values: dict, where: object, above: str = "") -> Iterator[FinserError]:
    """A line for every key that a file must hold and does not (:attr:`Section.in_files`)."""
    for name in type(section).model_fields:
        value, key = getattr(section, name), f"{above}{name}"
        if isinstance(values.get(name), dict) and isinstance(value, Section):
            yield from absent(value, values[name], where, f"{key}.")
        elif name not in values and name in section.in_files:
            default = required(value) if isinstance(value, Section) else {} if isinstance(value, dict) else as_written(value)
            yield FinserError(
                f"key '{key}' is missing", where=where, do=f"add `{name}: {flow(default)}` for the default: DVC tracks this key"
            )


def suggests(unknown: FinserError, missing: FinserError) -> bool:
    """Return whether a line about an unknown key suggests the key that another line calls missing: then it was mistyped."""
    lacks, found = re.search(r"key '(.*)' is missing", str(missing)), re.search(r"unknown key '(.*)'; did you mean '(.*)'\?", str(unknown))
    return bool(lacks and found) and lacks[1] == ".".join([*found[1].split(".")[:-1], found[2]])


def faulty_keys(problems: list[dict]) -> set[tuple[str, ...]]:
    """Return the keys that cause pydantic's `problems`, as paths.

    A wrong value causes one: ``("svm", "c")``. For a fault in a list it is the list. For a missing key it is the section that lacks it,
    or, at the top of the file, the key itself.
    """
    found = set()
    for problem in problems:
        path = tuple(_without_tag(problem["loc"]))
        inside = next((place for place, part in enumerate(path) if not isinstance(part, str) or part == "[key]"), len(path))
        if problem["type"] == "missing" and 1 < inside == len(path):
            inside -= 1
        found.add(path[:inside])
    return found - {()}


def undecided_keys(problems: list[dict]) -> set[tuple[str, ...]]:
    """Return the keys whose values are unknown because of pydantic's `problems`.

    An unknown key leaves no value unknown. A name of the user's own that is no valid name leaves unknown which names its map has.
    """
    names = {tuple(problem["loc"][:1]) for problem in problems if problem["loc"] and problem["loc"][-1] == "[key]"}
    return names | faulty_keys([problem for problem in problems if problem["type"] != "extra_forbidden"])


def without(values: Any, paths: set[tuple[str, ...]]) -> Any:
    """Return a copy of the values of a file without some keys."""
    if not isinstance(values, dict):
        return values
    kept = {name: value for name, value in values.items() if (name,) not in paths}
    return {name: without(value, {path[1:] for path in paths if path[0] == name}) for name, value in kept.items()}


def _of_other_type(problem: dict) -> bool:
    """Return whether a complaint about a name or a number expects the type that was not written: the other complaint is about the value."""
    branch = str(problem["loc"][-1]) if problem["loc"] else ""
    return branch == NUMBER if isinstance(problem["input"], str) else branch.startswith(WORD)


def _within(inner: tuple, outer: tuple) -> bool:
    return len(inner) > len(outer) > 0 and inner[: len(outer)] == outer


def _explain(problem: dict, values: Any, where: object, whole: type[BaseModel]) -> list[FinserError]:
    """Return one line per validation error, or several where a validator found several errors at once."""
    said = problem["msg"].removeprefix("Value error, ")  # pydantic's word for a validator's own message
    if not problem["loc"]:
        return [FinserError(line, where=where) for line in said.splitlines()]
    return [_explain_key(problem, said, values, where, whole)]


def _explain_key(problem: dict, said: str, values: Any, where: object, whole: type[BaseModel]) -> FinserError:
    path = [part for part in _without_tag(problem["loc"]) if part != "[key]"]
    key, kind, given = ".".join(map(str, path)), problem["type"], problem["input"]
    if kind == "extra_forbidden":
        return FinserError(f"unknown key '{key}'", where=where, do=nearest(str(path[-1]), _keys_beside(path, values, whole)))
    if kind == "missing" and isinstance(path[-1], int):
        return FinserError(f"{'.'.join(map(str, path[:-1]))}: too short", where=where, expected="one more", found=shown(given))
    if kind == "missing":
        return FinserError(f"key '{key}' is missing", where=where, do="add it: docs/params.md explains it")
    if kind.startswith("union_tag"):
        return _unknown_kind(key, problem, where)
    if kind == "literal_error" and isinstance(given, str):
        known = re.findall(r"'(\w+)'", problem["ctx"]["expected"])
        return FinserError(f"{key}: unknown name", where=where, found=repr(given), do=nearest(given, known))
    if kind == "literal_error":
        return FinserError(f"{key}: unknown value", where=where, expected=problem["ctx"]["expected"], found=shown(given))
    if kind == "too_short":
        least, length = (problem["ctx"][name] for name in ("min_length", "actual_length"))
        what, expected = ("too short" if length else "empty"), "one" if least == 1 else least
        return FinserError(f"{key}: {what}", where=where, expected=f"a list of {expected} or more")
    if kind in EXPECTED:
        return FinserError(f"{key}: wrong type", where=where, expected=EXPECTED[kind], found=shown(given))
    if kind == "string_pattern_mismatch" and path[-1] == "init":
        expected = "models/fins, models/pretrained/TRUNK or models/weights/NAME"
        do = f"write `init: {PUBLISHED}{given}`, and `fetch_weights: {{{given}: {{}}}}`" if given in KNOWN else ""
        return FinserError(f"{key}: no initial weights", where=where, expected=expected, found=repr(given), do=do)
    found = None if isinstance(given, dict) else repr(given)
    if expected := _limit(kind, problem.get("ctx", {})):
        return FinserError(f"{key}: wrong value", where=where, expected=expected, found=found)
    return FinserError(f"{key}: {said}", where=where, found=found)


def _limit(kind: str, limits: dict) -> str | None:
    """Return in words what a value outside its limits should have been; None for another kind of error."""
    words = {
        "finite_number": "a finite number",
        "greater_than": "more than {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than": "less than {lt}",
        "less_than_equal": "at most {le}",
        "multiple_of": "a multiple of {multiple_of}",
        "int_from_float": "a whole number",
        "string_too_long": "at most {max_length} characters",
        "too_long": "at most {max_length} entries",
    }
    if kind == "string_pattern_mismatch":
        is_name = limits["pattern"] == NAME
        return "a name of lower-case letters, digits and _, such as small_cnn" if is_name else f"text that matches {limits['pattern']}"
    return words[kind].format(**limits) if kind in words else None


def _unknown_kind(key: str, problem: dict, where: object) -> FinserError:
    """A source or a model that does not exist, or none at all."""
    tag = problem["ctx"]["discriminator"].strip("'")
    known = KINDS if tag == "model" else SOURCES
    found = problem["input"].get(tag) if isinstance(problem["input"], dict) else problem["input"]
    if found is None:
        return FinserError(f"{key}: key '{tag}' is missing", where=where, expected=f"{tag}: one of {', '.join(known)}")
    return FinserError(f"{key}: no such {tag}", where=where, expected=f"{tag}: one of {', '.join(known)}", found=repr(found))


def _without_tag(location: tuple) -> list:
    """Drop the kind of a source or a classifier, and the type of a name or a number, which pydantic adds as if they were keys."""
    path = [part for place, part in enumerate(location) if not (place == 2 and location[0] in TAGGED)]
    return [part for part in path if part != NUMBER and not str(part).startswith(WORD)]


def _keys_beside(path: list, values: Any, whole: type[BaseModel]) -> list[str]:
    """The keys that the schema knows at the place of the last part of `path`."""
    model: Any = whole
    for place, part in enumerate(path[:-1]):
        if place == 1 and path[0] in TAGGED:
            kinds, tag = TAGGED[path[0]]
            model = kinds[values[path[0]][part][tag]]
        elif place == 0 and part in TAGGED and len(path) == 2:
            return list(get_args(PublishedCorpus)) if part == "fetch" else list(KINDS)
        elif get_origin(model) is dict:  # sections with names of the user's own: fetch_weights, fuse_classifiers
            model = get_args(model)[1]
        elif part in getattr(model, "model_fields", {}):
            annotation = model.model_fields[part].annotation
            model = annotation if annotation is not None else model
    return list(getattr(model, "model_fields", {}))
