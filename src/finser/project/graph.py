"""The jobs of dvc.yaml, with the values of params.yaml: their dependencies, parameters and outputs.

DVC itself substitutes ``${...}``, ``matrix`` and ``foreach``: its ``DataResolver`` is the part of DVC that reads dvc.yaml. It takes .2 s of
CPU to import and 5 ms for a job, which a stage command can afford. DVC's whole index (``dvc.repo.Repo().index``) takes .5 s, and 4 s for a
preset of 900 jobs. A test compares the two for every preset.

A matrix axis ``${item.corpus}`` corresponds to Snakemake's wildcard ``{corpus}``; the key of a ``foreach`` stage corresponds to the
wildcard ``{key}``.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

from dvc.exceptions import DvcException
from dvc.fs import localfs
from dvc.parsing import DataResolver
from dvc.parsing.interpolate import to_str

from finser.config.reading import read
from finser.errors import FinserError
from finser.project import stages

LIBRARIES = Path("workflow/libraries.yaml")
MADE = ("outs", "metrics", "plots")


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Convert DVC's errors about dvc.yaml or params.yaml to :class:`FinserError`."""
    try:
        yield
    except DvcException as error:
        raise FinserError(str(error), where=stages.DVC) from None


class Graph:
    """The stages of dvc.yaml in the current folder.

    Attributes
    ----------
    params : dict
        The values of params.yaml.
    stages : dict
        Name -> :class:`finser.project.stages.Stage`, in the order of dvc.yaml.

    Raises
    ------
    FinserError
        dvc.yaml or params.yaml cannot be read, or dvc.yaml names a key that params.yaml lacks.
    """

    def __init__(self) -> None:
        self.params = read(Path("params.yaml"))
        self._written = read(stages.DVC)
        self.stages = stages.table(self._written)
        self._resolver = _resolver(self._written["stages"])
        self._jobs: dict[str, dict] = {}

    def axes(self, name: str) -> dict[str, list[str]]:
        """Return the wildcards of a stage with their values as text; {} for a stage of one job."""
        return {axis: [to_str(value) for value in values] for axis, values in self._values(name).items()}

    def _values(self, name: str) -> dict[str, list]:
        """Return the wildcards of a stage with their values as in params.yaml."""
        if not self.stages[name].wildcards:
            return {}
        definition = self._resolver.definitions[name]
        with _in_one_line():
            if "foreach" in self._written["stages"][name]:
                return {"key": list(definition.normalized_iterable)}
            given = definition.resolved_iterable.items()
            return {axis: [getattr(value, "value", value) for value in values] for axis, values in given}  # DVC wraps each of them

    def typed(self, name: str, item: dict[str, str]) -> list[object]:
        """Return the values of a job as in params.yaml: a fold is a number there, and text in a command."""
        values = self._values(name)
        return [next(value for value in values[axis] if to_str(value) == given) for axis, given in item.items()]

    def job(self, name: str, item: dict[str, str]) -> dict:
        """Return a job's entry of dvc.yaml, with all values substituted by DVC."""
        address = self.address(name, item)
        if address not in self._jobs:
            with _in_one_line():
                self._jobs |= self._resolver.resolve_one(address)
        return self._jobs[address]

    @cached_property
    def _patterns(self) -> dict[str, dict]:
        """Return outputs and description of every stage, with a wildcard in place of each axis value."""
        with _in_one_line():
            resolver = _resolver({name: self._pattern(name) for name in self.stages})
            return {name: resolver.resolve_one(self.address(name))[self.address(name)] for name in self.stages}

    def _pattern(self, name: str) -> dict:
        """Return a stage's entry with a wildcard in place of each axis value, without what fields of a `foreach` entry may set."""
        written = self._written["stages"][name]
        body = {key: value for key, value in written.get("do", written).items() if key in (*MADE, "cmd", "desc")}
        if "foreach" in written:
            return {"foreach": {"{key}": {}}, "do": body}
        return body | ({"matrix": {axis: [f"{{{axis}}}"] for axis in written["matrix"]}} if "matrix" in written else {})

    def description(self, name: str) -> str:
        """Return a stage's description, with wildcards, e.g. ``Fetch {corpus}``."""
        return self._patterns[name]["desc"]

    def parameters(self, name: str, item: dict[str, str]) -> dict[str, object]:
        """Return the keys of params.yaml that a job depends on, with their values."""
        return {key: self.value(key) for key in self.paths(name, item, "params") if key != str(LIBRARIES)}

    def libraries(self, name: str) -> dict[str, str]:
        """Return the libraries that a stage depends on, with their versions in `LIBRARIES`."""
        written = self._written["stages"][name]
        entries = [entry for entry in written.get("do", written).get("params", []) if isinstance(entry, dict)]
        return {library: self._version(library) for entry in entries for library in entry[str(LIBRARIES)]}

    def _version(self, library: str) -> str:
        """Return the version of a library in `LIBRARIES`, which must be text."""
        found = self._versions.get(library)
        if not isinstance(found, str):
            raise FinserError(f"no version of {library}", where=LIBRARIES, expected=f'a line such as {library}: "1.2.3", in quotes')
        return found

    @cached_property
    def _versions(self) -> dict[str, object]:
        """Return the content of `LIBRARIES`."""
        return read(LIBRARIES)

    def value(self, key: str) -> object:
        """Return the value of a dotted key of params.yaml; None if a part of it is missing."""
        node: object = self.params
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return node

    def items(self, name: str) -> list[dict[str, str]]:
        """Return every job of a stage, as wildcard values."""
        axes = self.axes(name)
        return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]

    def paths(self, name: str, item: dict[str, str], *sections: str) -> list[str]:
        """Return the entries in sections of a job; of an entry with options, the name alone."""
        return _names(self.job(name, item), *sections)

    def outs(self, name: str, item: dict[str, str] | None = None) -> list[str]:
        """Return the outputs of a job or, without an item, a stage's patterns, e.g. ``data/clips/{corpus}.parquet``.

        DVC substitutes the patterns once; wildcards are then replaced by values as in Snakemake. All outputs of 900 jobs take .05 s.
        """
        patterns = _names(self._patterns[name], *MADE)
        return patterns if item is None else [pattern.format(**item) for pattern in patterns]

    @cached_property
    def makers(self) -> dict[str, str]:
        """Return the job (by address) of each output."""
        return {out: self.address(name, item) for name in self.stages for item in self.items(name) for out in self.outs(name, item)}

    @cached_property
    def below(self) -> dict[str, list[str]]:
        """Return all outputs below every folder, at any depth; an index, since a preset may have thousands of jobs and outputs."""
        folders: dict[str, list[str]] = {}
        for out in self.makers:
            for folder in PurePosixPath(out).parents:
                folders.setdefault(str(folder), []).append(out)
        return folders

    def deps(self, name: str, item: dict[str, str]) -> list[str]:
        """Return the dependencies of a job; a folder is replaced by all stage outputs below it, as in DVC's own graph."""
        found = [self.below.get(str(PurePosixPath(dep)), [dep]) for dep in self.paths(name, item, "deps")]
        return list(dict.fromkeys(itertools.chain.from_iterable(found)))

    def address(self, name: str, item: dict[str, str] | None = None) -> str:
        """Return DVC's name of a job, e.g. ``label@ravdess``; without an item its pattern, ``label@{corpus}``."""
        axes = self.stages[name].wildcards  # in the order of dvc.yaml, whatever the order of the item
        values = [f"{{{axis}}}" if item is None else item[axis] for axis in axes]
        return f"{name}@{'-'.join(values)}" if axes else name


def _resolver(entries: dict[str, dict]) -> DataResolver:
    """Return DVC's resolver of these entries, with the values of params.yaml in the current folder."""
    with _in_one_line():
        return DataResolver(SimpleNamespace(fs=localfs, config={}), "", {"stages": entries})


def _names(body: dict, *sections: str) -> list[str]:
    """Return the entries in sections of a job's body; of an entry with options, the name alone."""
    entries = itertools.chain.from_iterable(body.get(section, ()) for section in sections)
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
