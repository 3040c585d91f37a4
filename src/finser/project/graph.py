"""The jobs of dvc.yaml, with the values of params.yaml: what each reads, which parameters it follows, what it makes.

A matrix axis ``${item.corpus}`` is the wildcard ``{corpus}``; the key of a ``foreach`` stage is the wildcard ``{key}``.
"""

import itertools
import re
from functools import cached_property
from pathlib import Path, PurePosixPath

import yaml

from finser.config.reading import read
from finser.errors import FinserError

LIBRARIES = Path("workflow/libraries.yaml")


class Graph:
    """The stages of dvc.yaml in the current folder.

    Attributes
    ----------
    params : dict
        The values of params.yaml.
    stages : dict
        The stages of dvc.yaml, as written.
    """

    def __init__(self) -> None:
        self.params = read(Path("params.yaml"))
        self.stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]

    def body(self, name: str) -> dict:
        """A stage's command, deps and outs: under `do` where it is a `foreach` stage."""
        return self.stages[name].get("do", self.stages[name])

    def axes(self, name: str) -> dict[str, list[str]]:
        """Wildcards of a stage with their values; {} for a stage that is one job."""
        stage = self.stages[name]
        if "foreach" in stage:
            return {"key": list(self._values(stage["foreach"]))}
        return {axis: [str(value) for value in self._values(given)] for axis, given in stage.get("matrix", {}).items()}

    def _values(self, given: str | list | dict) -> list | dict:
        """``"${corpora}"`` -> the list or mapping in params.yaml; one written out stands for itself."""
        return self.value(given.removeprefix("${").removesuffix("}")) if isinstance(given, str) else given

    def parameters(self, name: str, item: dict[str, str]) -> dict[str, object]:
        """The keys of params.yaml that a job follows, with their values."""
        return {key: self.value(key) for key in self.paths(name, item, "params") if key != str(LIBRARIES)}

    def libraries(self, name: str) -> dict[str, str]:
        """The libraries that a stage follows, with the versions that `LIBRARIES` names."""
        entries = [entry for entry in self.body(name).get("params", []) if isinstance(entry, dict)]
        return {library: self._version(library) for entry in entries for library in entry[str(LIBRARIES)]}

    def _version(self, library: str) -> str:
        found = self._versions.get(library)
        if not isinstance(found, str):
            raise FinserError(f"no version of {library}", where=LIBRARIES, expected=f'a line such as {library}: "1.2.3", in quotes')
        return found

    @cached_property
    def _versions(self) -> dict[str, object]:
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

    def paths(self, name: str, item: dict[str, str] | None, *sections: str) -> list[str]:
        """Entries in sections of a stage; for an item they are filled in, for None they are patterns with wildcards."""
        entries = itertools.chain.from_iterable(self.body(name).get(section, []) for section in sections)
        paths = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
        if item and "foreach" in self.stages[name]:  # ${item.init} is a field of the foreach entry
            each = self._values(self.stages[name]["foreach"])
            paths = [re.sub(r"\$\{item\.(\w+)\}", lambda field: each[item["key"]][field[1]], path) for path in paths]
        patterns = [re.sub(r"\$\{(?:item\.)?(\w+)\}", r"{\1}", path) for path in paths]
        return patterns if item is None else [pattern.format(**item) for pattern in patterns]

    def outs(self, name: str, item: dict[str, str] | None = None) -> list[str]:
        """Outputs of a job, or the patterns of a stage's, e.g. ``data/clips/{corpus}.parquet``."""
        return self.paths(name, item, "outs", "metrics", "plots")

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
        """DVC's name of a job, e.g. ``label@ravdess``; for None its pattern, ``label@{corpus}``."""
        axes = self.axes(name)
        pattern = f"{name}@{'-'.join(f'{{{axis}}}' for axis in axes)}" if axes else name
        return pattern if item is None else pattern.format(**item)
