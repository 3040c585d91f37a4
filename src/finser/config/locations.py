"""Folders of data on this machine: local.yaml, which git ignores, or a folder that an environment variable names.

Paths are no scientific choice and differ between machines, so params.yaml holds none. DVC does not see them: what `fetch` and `augment`
found there is recorded by :mod:`finser.project.found`.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from finser.config.base import CorpusName, Name, Section
from finser.config.explain import explain
from finser.config.reading import flow, read
from finser.errors import FinserError, FinserErrors

FILE = Path("local.yaml")
VARIABLE = "FINSER_DATA_HOME"  # a folder with the folders RAVDESS, CREMA-D and so on, for corpora that local.yaml does not name
HEAD = "# Where data lie on this machine; git ignores this file. `finser preset local PATH` writes the corpora.\n"


class Locations(Section):
    """local.yaml."""

    corpora: dict[CorpusName, str] = Field(
        {}, description="folder of each corpus whose source is local, table of each whose source is table"
    )
    roots: dict[CorpusName, str] = Field({}, description="folder of the paths in a corpus's table; default: the table's own folder")
    noise: str | None = Field(None, description="folder of recordings of noise, for the variant noise_file")
    weights: dict[Name, str] = Field({}, description="file or folder of each section of fetch_weights whose source is local")


def load(path: Path = FILE) -> Locations:
    """Return the content of local.yaml; empty without such a file.

    Raises
    ------
    FinserError
        The file is no YAML, or holds other keys or types.
    """
    values = read(path) if path.exists() else {}
    try:
        return Locations.model_validate(values)
    except ValidationError as error:
        raise FinserErrors(explain(error.errors(), values, path, Locations)) from None


def home() -> Path | None:
    """The folder that ``FINSER_DATA_HOME`` names, if it is set."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else None


def noise() -> Path:
    """The folder of recordings of noise."""
    return _given(load().noise, "noise", "the recordings of noise for augment.variants")


def weights(name: str) -> Path:
    """The file or folder of a section of fetch_weights."""
    return _given(load().weights.get(name), f"weights: {{{name}: PATH}}", f"the weights '{name}'")


def table(corpus: str) -> Path:
    """The table of a corpus whose source is table."""
    return _given(load().corpora.get(corpus), f"corpora: {{{corpus}: PATH}}", f"the table of '{corpus}'")


def root(corpus: str) -> Path:
    """The folder to which the paths in a corpus's table are relative."""
    given = load().roots.get(corpus)
    return Path(given).expanduser() if given else table(corpus).parent


def _given(path: str | None, key: str, what: str) -> Path:
    if path is None:
        line = key if ":" in key else f"{key}: PATH"
        raise FinserError(f"contains no path of {what}", where=FILE, do=f"add a line `{line}` to it, or write the file")
    return Path(path).expanduser()


def merged(old: Locations, **new: Any) -> str:
    """The text of local.yaml with other or further paths."""
    values = {name: {**getattr(old, name), **new.get(name, {})} for name in ("corpora", "roots", "weights")}
    noise_folder = new.get("noise", old.noise)
    lines = [
        f"{name}:\n" + "".join(f"  {key}: {flow(str(path))}\n" for key, path in paths.items()) for name, paths in values.items() if paths
    ]
    return HEAD + "".join(lines) + (f"noise: {flow(str(noise_folder))}\n" if noise_folder else "")
