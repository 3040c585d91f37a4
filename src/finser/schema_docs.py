"""docs/params.md and docs/params.schema.json, generated from the schema of params.yaml (a test holds them against it)."""

import json
from pathlib import Path
from typing import Any

from finser.files import write_text
from finser.params import json_schema

HEAD = """# params.yaml

Generated from the schema by `finser schema`: every key, its type and range, its default, its meaning.
A key that is not here is an error; so is a value out of range.
"""


def markdown(schema: dict) -> str:
    """The page: one table per section of params.yaml."""
    definitions = schema["$defs"]
    tables = [HEAD, "## Top level\n", _table(schema, definitions)]
    for name, field in schema["properties"].items():
        if section := _section(field, definitions):
            tables += _section_page(name, section, definitions)
        elif name == "fetch":
            tables += [f"## fetch\n\n{field['description']}: one entry per corpus, of one of three kinds.\n"]
            for kind in ("Synthetic", "Local", "Download"):
                tables += [f"### {kind.lower()}\n\n{definitions[kind]['description']}\n", _table(definitions[kind], definitions)]
        elif name == "fetch_weights":
            tables += [f"## fetch_weights\n\n{field['description']}: one entry per name.\n", _table(definitions["Weights"], definitions)]
    return "\n".join(tables)


def write(folder: Path) -> None:
    """Rewrite both files in `folder`."""
    schema = json_schema()
    write_text(folder / "params.schema.json", json.dumps(schema, indent=2) + "\n")
    write_text(folder / "params.md", markdown(schema))


def _section_page(name: str, section: dict, definitions: dict, defaults: dict | None = None) -> list[str]:
    """A section's own keys, then the sections within it."""
    page = [f"{'##' if '.' not in name else '###'} {name}\n\n{section['description']}\n"]
    if any(not _section(field, definitions) for field in section["properties"].values()):
        page.append(_table(section, definitions, defaults))
    for key, field in section["properties"].items():
        if inner := _section(field, definitions):
            page += _section_page(f"{name}.{key}", inner, definitions, field.get("default"))
    return page


def _section(field: dict, definitions: dict) -> dict | None:
    """The definition of a field that is itself a section, else None."""
    name = field.get("$ref", "").removeprefix("#/$defs/")
    return definitions.get(name)


def _table(section: dict, definitions: dict, defaults: dict | None = None) -> str:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, field in section["properties"].items():
        if not _section(field, definitions) and key != "fetch":
            default = (defaults or {}).get(key, field.get("default"))
            shown = "" if default is None else f"`{json.dumps(default)}`"
            lines.append(f"| {key} | {_type(field)} | {shown} | {field.get('description', '')} |")
    return "\n".join(lines) + "\n"


def _type(field: dict) -> str:
    """Type and range in words, e.g. ``number > 0, <= 1``."""
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "prefixItems" in field:
        return f"pair of {_type(field['prefixItems'][0])}"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if "anyOf" in field:
        return " or ".join(_type(kind) for kind in field["anyOf"] if kind.get("type") != "null") + ", optional"
    return ", ".join([str(field.get("type", "")), *_range(field)])


def _range(field: dict) -> list[str]:
    bounds: dict[str, Any] = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    return [f"{sign} {field[name]}" for name, sign in bounds.items() if name in field]


def current(folder: Path) -> bool:
    """Whether the two files in `folder` are what :func:`write` would write."""
    schema = json_schema()
    wanted = {"params.schema.json": json.dumps(schema, indent=2) + "\n", "params.md": markdown(schema)}
    return all((folder / name).exists() and (folder / name).read_text(encoding="utf-8") == text for name, text in wanted.items())
