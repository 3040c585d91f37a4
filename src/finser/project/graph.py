"""The jobs of dvc.yaml, with the values of params.yaml: what each reads, which parameters it follows, what it makes.

DVC itself fills in ``${...}``, ``matrix`` and ``foreach``: its ``DataResolver`` is the part of DVC that reads dvc.yaml. It takes .2 s of
CPU to import and 5 ms for a job, which a stage command can afford. DVC's whole index (``dvc.repo.Repo().index``) takes .5 s, and 4 s for
a preset of 900 jobs. A test compares the two for every preset.

A matrix axis ``${item.corpus}`` is Snakemake's wildcard ``{corpus}``; the key of a ``foreach`` stage is the wildcard ``{key}``.
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
    """Turn an error of DVC's about dvc.yaml or params.yaml into a :class:`FinserError`."""
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
        """Wildcards of a stage with their values as text; {} for a stage that is one job."""
        return {axis: [to_str(value) for value in values] for axis, values in self._values(name).items()}

    def _values(self, name: str) -> dict[str, list]:
        """Wildcards of a stage with their values as params.yaml has them."""
        if not self.stages[name].wildcards:
            return {}
        definition = self._resolver.definitions[name]
        with _in_one_line():
            if "foreach" in self._written["stages"][name]:
                return {"key": list(definition.normalized_iterable)}
            given = definition.resolved_iterable.items()
            return {axis: [getattr(value, "value", value) for value in values] for axis, values in given}  # DVC keeps where a value is from

    def typed(self, name: str, item: dict[str, str]) -> list[object]:
        """The values of a job as params.yaml has them: a fold is a number there, and text in a command."""
        values = self._values(name)
        return [next(value for value in values[axis] if to_str(value) == given) for axis, given in item.items()]

    def job(self, name: str, item: dict[str, str]) -> dict:
        """Everything that dvc.yaml says of a job, filled in by DVC."""
        address = self.address(name, item)
        if address not in self._jobs:
            with _in_one_line():
                self._jobs |= self._resolver.resolve_one(address)
        return self._jobs[address]

    @cached_property
    def _patterns(self) -> dict[str, dict]:
        """What dvc.yaml says of the outputs and purpose of every stage, where each axis has its own wildcard for a value."""
        with _in_one_line():
            resolver = _resolver({name: self._pattern(name) for name in self.stages})
            return {name: resolver.resolve_one(self.address(name))[self.address(name)] for name in self.stages}

    def _pattern(self, name: str) -> dict:
        """A stage's entry in dvc.yaml with a wildcard for a value of each axis, and without what fields of a `foreach` entry may fill."""
        written = self._written["stages"][name]
        body = {key: value for key, value in written.get("do", written).items() if key in (*MADE, "cmd", "desc")}
        if "foreach" in written:
            return {"foreach": {"{key}": {}}, "do": body}
        return body | ({"matrix": {axis: [f"{{{axis}}}"] for axis in written["matrix"]}} if "matrix" in written else {})

    def description(self, name: str) -> str:
        """What a stage does, with wildcards, e.g. ``Fetch {corpus}``."""
        return self._patterns[name]["desc"]

    def parameters(self, name: str, item: dict[str, str]) -> dict[str, object]:
        """The keys of params.yaml that a job follows, with their values."""
        return {key: self.value(key) for key in self.paths(name, item, "params") if key != str(LIBRARIES)}

    def libraries(self, name: str) -> dict[str, str]:
        """The libraries that a stage follows, with the versions that `LIBRARIES` names."""
        written = self._written["stages"][name]
        entries = [entry for entry in written.get("do", written).get("params", []) if isinstance(entry, dict)]
        return {library: self._version(library) for entry in entries for library in entry[str(LIBRARIES)]}

    def _version(self, library: str) -> str:
        """The version of a library that `LIBRARIES` names, which must be text."""
        found = self._versions.get(library)
        if not isinstance(found, str):
            raise FinserError(f"no version of {library}", where=LIBRARIES, expected=f'a line such as {library}: "1.2.3", in quotes')
        return found

    @cached_property
    def _versions(self) -> dict[str, object]:
        """The content of `LIBRARIES`."""
        return read(LIBRARIES)

    def value(self, key: str) -> object:
        """The value of a dotted key of params.yaml; None where a part of it is missing."""
        node: object = self.params
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return node

    def items(self, name: str) -> list[dict[str, str]]:
        """Every job of a stage, as wildcard values."""
        axes = self.axes(name)
        return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]

    def paths(self, name: str, item: dict[str, str], *sections: str) -> list[str]:
        """Entries in sections of a job; an entry with options counts by its name alone."""
        return _names(self.job(name, item), *sections)

    def outs(self, name: str, item: dict[str, str] | None = None) -> list[str]:
        """Outputs of a job, or, without an item, the patterns of a stage's, e.g. ``data/clips/{corpus}.parquet``.

        DVC fills in the patterns once, and values take the place of wildcards here as in Snakemake: all outputs of 900 jobs take .05 s.
        """
        patterns = _names(self._patterns[name], *MADE)
        return patterns if item is None else [pattern.format(**item) for pattern in patterns]

    @cached_property
    def makers(self) -> dict[str, str]:
        """Which job (by address) makes each output."""
        return {out: self.address(name, item) for name in self.stages for item in self.items(name) for out in self.outs(name, item)}

    @cached_property
    def below(self) -> dict[str, list[str]]:
        """Every folder's stage outputs, at any depth; an index, since a preset may have thousands of jobs and outputs."""
        folders: dict[str, list[str]] = {}
        for out in self.makers:
            for folder in PurePosixPath(out).parents:
                folders.setdefault(str(folder), []).append(out)
        return folders

    def deps(self, name: str, item: dict[str, str]) -> list[str]:
        """What a job reads; a folder stands for every stage output below it, as in DVC's own graph."""
        found = [self.below.get(str(PurePosixPath(dep)), [dep]) for dep in self.paths(name, item, "deps")]
        return list(dict.fromkeys(itertools.chain.from_iterable(found)))

    def address(self, name: str, item: dict[str, str] | None = None) -> str:
        """DVC's name of a job, e.g. ``label@ravdess``; without an item its pattern, ``label@{corpus}``."""
        axes = self.stages[name].wildcards  # in the order of dvc.yaml, whatever the order of the item
        values = [f"{{{axis}}}" if item is None else item[axis] for axis in axes]
        return f"{name}@{'-'.join(values)}" if axes else name


def _resolver(entries: dict[str, dict]) -> DataResolver:
    """DVC's reader of these entries, with the values of params.yaml in the current folder."""
    with _in_one_line():
        return DataResolver(SimpleNamespace(fs=localfs, config={}), "", {"stages": entries})


def _names(body: dict, *sections: str) -> list[str]:
    """Entries in sections of a job's body; an entry with options counts by its name alone."""
    entries = itertools.chain.from_iterable(body.get(section, ()) for section in sections)
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
