"""params.yaml as text: what differs from the defaults, or everything.

ruamel.yaml, which reads these files, formats the values of one line (:func:`finser.config.reading.flow`). The lines themselves are written
here: ruamel.yaml sets comments and flow style node by node, so that the choice of layout (short sections in one line, descriptions as
wrapped comments) would be code of this project in any case. A version with ruamel.yaml alone was not written to compare.
"""

from textwrap import wrap
from typing import Any

from finser.config.base import Section, as_written
from finser.config.params import Params
from finser.config.reading import flow

WIDTH = 138  # of a section in one line
LINE = 130  # of any other line
HEAD = """\
# yaml-language-server: $schema=docs/params.schema.json
# The settings of this run. Sections are named after stages. Every section except `report` must be in the file.
# An optional key that is left out has its default. {} is a section with all defaults, or a map without entries (fine_tune).
# docs/params.md explains every key, `finser params --resolved` prints all values, `finser check` validates this file.
"""
RESOLVED = "# All values with which the stages run: the choices of params.yaml, and the defaults of the rest.\n"


def dump(params: Params) -> str:
    """params.yaml as a preset writes it: the values that differ from the defaults, and the keys that DVC tracks by name."""
    return HEAD + "\n".join(_top_level(params, _chosen(params, _defaults(params)))) + "\n"


def resolved(params: Params) -> str:
    """The same with every value, each with its meaning as a comment."""
    return RESOLVED + "\n".join(_everything(params, 0)) + "\n"


def _defaults(params: Params) -> Section:
    return type(params).model_construct(
        **{name: field.default for name, field in type(params).model_fields.items() if not field.is_required()}
    )


def _chosen(section: Section, default: Section) -> dict[str, Any]:
    """The values of a section that differ from `default`, and those that files must hold; sections within it likewise."""
    chosen: dict[str, Any] = {}
    for name in type(section).model_fields:
        value, usual = getattr(section, name), getattr(default, name, None)
        if isinstance(value, Section):
            inner = _chosen(value, usual)
            chosen |= {name: inner} if inner or name in section.in_files else {}
        elif isinstance(value, dict):
            given = {key: _entry(item) if isinstance(item, Section) else item for key, item in value.items()}
            chosen |= {name: given} if given or usual is None or name in section.in_files else {}
        elif value is not None and (value != usual or name in section.in_files):
            chosen[name] = as_written(value)
    return chosen


def _entry(section: Section) -> dict[str, Any]:
    """A section with a name of the user's own: its kind, then the values that differ from the kind's defaults."""
    fields = type(section).model_fields
    kind = {name: getattr(section, name) for name in ("source", "model", "init") if name in fields and getattr(section, name) is not None}
    usual = type(section).model_construct(**{name: field.default for name, field in fields.items() if not field.is_required()})
    return {**kind, **{name: value for name, value in _chosen(section, usual).items() if name not in kind}}


def _top_level(params: Params, chosen: dict[str, Any]) -> list[str]:
    """Lists and numbers first, each with its meaning; then the sections, each below its meaning."""
    lines: list[str] = []
    for name, value in {"preset": params.preset, **chosen}.items():
        field = type(params).model_fields[name]
        if isinstance(value, dict):
            lines += ["", f"# {_meaning(getattr(params, name), field.description)}", *_section(name, value, 0)]
        else:
            given, comment = _value(name, value, ""), f"# {field.description}"
            beside = len(given) == 1 and len(given[0]) + len(comment) <= LINE
            lines += [f"{given[0]}  {comment}"] if beside else [*wrap(comment, LINE, subsequent_indent="# "), *given]
    return lines


def _value(name: str, value: Any, pad: str) -> list[str]:
    """A key with its value; a long list over several lines."""
    line = f"{pad}{name}: {flow(value)}"
    return wrap(line, LINE, initial_indent="", subsequent_indent=f"{pad}  ") if isinstance(value, list) and len(line) > LINE else [line]


def _meaning(value: Any, description: str | None) -> str:
    return (type(value).__doc__ or "").strip().splitlines()[0] if isinstance(value, Section) else f"{description}."


def _section(name: str, values: dict[str, Any], depth: int) -> list[str]:
    """A section in one line if it is short and holds no section with values; else a line for each of its keys."""
    pad, line = "  " * depth, f"{'  ' * depth}{name}: {flow(values)}"
    nested = any(isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values()) for value in values.values())
    if not values or len(line) <= WIDTH and not nested and (depth > 0 or not any(isinstance(value, dict) for value in values.values())):
        return [line]
    lines = [f"{pad}{name}:"]
    for key, value in values.items():
        lines += _section(key, value, depth + 1) if isinstance(value, dict) else _value(key, value, f"{pad}  ")
    return lines


def _everything(section: Section, depth: int) -> list[str]:
    pad, lines = "  " * depth, []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if value is None:
            continue
        comment = f"  # {field.description}" if field.description else ""
        if isinstance(value, Section):
            doc = (type(value).__doc__ or "").strip().splitlines()[0]
            lines += ([""] if depth == 0 else []) + [f"{pad}{name}:  # {doc}", *_everything(value, depth + 1)]
        elif isinstance(value, dict):
            lines += ([""] if depth == 0 else []) + [f"{pad}{name}:{'' if value else ' {}'}{comment}"]
            for key, item in value.items():
                inner = _everything(item, depth + 2) if isinstance(item, Section) else None
                lines += [f"{pad}  {flow(key)}: {flow(item)}"] if inner is None else [f"{pad}  {key}:", *inner]
        else:
            lines.append(f"{pad}{name}: {flow(as_written(value))}{comment}")
    return lines
