"""docs/params.md and docs/params.schema.json, generated from the schema of params.yaml (a test compares them)."""

import json
from pathlib import Path
from typing import Any

from finser.config.params import json_schema
from finser.files import write_text

HEAD = """# params.yaml

Generated from the schema by `finser schema`: every key, its type and range, its default, its meaning.
An unknown key or a value out of range is an error.
Every section except `report` and every key in **bold** must be in the file, because DVC tracks them by name or because they have no
default. So must the sections directly below `train_fin` and `compare_fin`, and `evaluate_classifier.noise`. `finser check` lists the
missing ones. Any other key may be left out and then has its default. `{}` means all defaults; in `fetch_weights`, `train_classifier`,
`fine_tune` and `fuse_classifiers`, whose entries you name, it means no entry.
"""


def markdown(schema: dict) -> str:
    """The page: one table per section of params.yaml."""
    definitions = schema["$defs"]
    tables, described = [HEAD, "## Top level\n", _table(schema, definitions)], {}
    for name, field in schema["properties"].items():
        if section := _section(field, definitions):
            tables += _section_page(name, section, definitions, field.get("default"))
        elif "$ref" in _entries(field):
            tables += _section_page(f"{name}.NAME", _section(_entries(field), definitions), definitions)
        elif kinds := _kinds(field, definitions):
            told_by = _entries(field)["discriminator"]["propertyName"]
            known = described.setdefault(tuple(kinds), name)
            these = "these kinds" if known == name else f"the kinds of `{known}`"
            tables.append(f"## {name}\n\n{field['description']}. Each entry is of one of {these}, named by its key `{told_by}`.\n")
            for kind, section in kinds.items() if known == name else ():
                tables += _section_page(kind, section, definitions, depth=3)
    return "\n".join(tables)


def write(folder: Path) -> None:
    """Rewrite both files in `folder`."""
    schema = json_schema()
    write_text(folder / "params.schema.json", json.dumps(schema, indent=2) + "\n")
    write_text(folder / "params.md", markdown(schema))


def _section_page(name: str, section: dict, definitions: dict, defaults: dict | None = None, depth: int = 2) -> list[str]:
    """A section's own keys, then the sections within it, one level deeper."""
    page = [f"{'#' * depth} {name}\n\n{section['description']}\n"]
    if any(not _section(field, definitions) for field in section["properties"].values()):
        page.append(_table(section, definitions, defaults))
    for key, field in section["properties"].items():
        if inner := _section(field, definitions):
            page += _section_page(f"{name}.{key}", inner, definitions, (defaults or {}).get(key, field.get("default")), depth + 1)
        elif entry := _section(_entries(field), definitions):
            page += _section_page(f"{name}.{key}.NAME", entry, definitions, depth=depth + 1)
    return page


def _entries(field: dict) -> dict:
    """Return the schema of the entries of a field whose keys are names; empty for another field."""
    named = field.get("patternProperties", {}).values()
    return next(iter(named), field.get("additionalProperties") or {})


def _kinds(field: dict, definitions: dict) -> dict[str, dict]:
    """Of a field whose entries are sections of several kinds: the definition of each, by what it is called, in the schema's order."""
    called = {reference: kind for kind, reference in _entries(field).get("discriminator", {}).get("mapping", {}).items()}
    return {called[one["$ref"]]: definitions[one["$ref"].removeprefix("#/$defs/")] for one in _entries(field)["oneOf"]} if called else {}


def _section(field: dict, definitions: dict) -> dict | None:
    """The definition of a field that is itself a section, else None."""
    name = field.get("$ref", "").removeprefix("#/$defs/")
    return definitions.get(name)


def _table(section: dict, definitions: dict, defaults: dict | None = None) -> str:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, field in section["properties"].items():
        if not _section(field, definitions) and not _kinds(field, definitions):
            default = None if _entries(field) else (defaults or {}).get(key, field.get("default"))
            shown = "" if default is None else f"`{json.dumps(default)}`"
            name = f"**{key}**" if key in section.get("required", ()) else key
            lines.append(f"| {name} | {_type(field)} | {shown} | {field.get('description', '')} |")
    return "\n".join(lines) + "\n"


def _type(field: dict) -> str:
    """Type and range in words, e.g. ``number > 0, <= 1``."""
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if _entries(field):
        return "a section per name"
    if "prefixItems" in field:
        return f"pair of {_type(field['prefixItems'][0])}"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if "anyOf" in field:
        return " or ".join(_type(kind) for kind in field["anyOf"] if kind.get("type") != "null") + ", optional"
    return ", ".join([str(field.get("type", "")), *_range(field)])


def _range(field: dict) -> list[str]:
    bounds: dict[str, Any] = {
        "exclusiveMinimum": ">",
        "minimum": ">=",
        "exclusiveMaximum": "<",
        "maximum": "<=",
        "multipleOf": "a multiple of",
    }
    return [f"{sign} {field[name]}" for name, sign in bounds.items() if name in field]


def current(folder: Path) -> bool:
    """Whether the two files in `folder` are what :func:`write` would write."""
    schema = json_schema()
    wanted = {"params.schema.json": json.dumps(schema, indent=2) + "\n", "params.md": markdown(schema)}
    return all((folder / name).exists() and (folder / name).read_text(encoding="utf-8") == text for name, text in wanted.items())
