"""The table of stages in dvc.yaml: descriptions, functions, and resources for schedulers.

DVC allows a description (``desc``) and any keys below ``meta`` in a stage, and ignores both. An example is ::

    label:
      desc: Compute librosa's features of every frame of ${item.corpus}
      meta: {step: features.labels, per_clip: true, runtime: 60, priority: 3}

so that the function ``label`` of ``finser.features.labels`` runs the stage. The command line, Snakemake's rules and docs/architecture.md
are all derived from it. A new stage needs an entry in dvc.yaml and a module.
"""

import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from finser.config.reading import read
from finser.errors import FinserError

DVC = Path("dvc.yaml")
UNDERSTOOD = {"matrix", "foreach", "do", "cmd", "desc", "meta", "deps", "params", "outs", "metrics", "plots"}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of dvc.yaml. The fields from `step` on are keys of its ``meta``; their defaults suit a small job.

    Attributes
    ----------
    name : str
        Name of the stage, of its command, of its rule and of its function.
    description : str
        Its ``desc``, with ``${item.corpus}`` in place of the corpus's name.
    axes : dict of str to str
        Arguments of its command, in order, each with a description of its values, e.g. ``{"protocol": "one of protocols in params.yaml"}``.
    wildcards : tuple of str
        Snakemake's names of the same arguments: ``key`` for a ``foreach`` stage.
    step : str
        Module below ``finser`` that holds the function.
    key : str
        Meaning of the key of a ``foreach`` stage, e.g. ``feature``.
    per_clip : bool
        Whether a job distributes the clips of a corpus over processes; memory is proportional to their number.
    mem_mb : int
        Memory of a job in megabytes.
    runtime : int
        Time limit of a job in minutes.
    cpu_runtime : int
        Time limit in minutes of a job whose classifier uses no GPU, such as an SVM; 0: the same as `runtime`.
    gpu : bool
        Whether a job uses a GPU if there is one.
    group : str
        Name of the group of its short jobs. On a cluster, jobs of one group that depend on each other are one job, which runs them in
        turn; a job that uses a GPU is in no group.
    priority : int
        Jobs of a higher priority run first.
    local : bool
        Whether the job runs on the machine that Snakemake runs on, because it needs the network.
    """

    name: str
    description: str
    axes: dict[str, str]
    wildcards: tuple[str, ...]
    step: str
    key: str = "key"
    per_clip: bool = False
    mem_mb: int = 2000
    runtime: int = 30
    cpu_runtime: int = 0
    gpu: bool = False
    group: str = ""
    priority: int = 0
    local: bool = False

    @property
    def summary(self) -> str:
        """Return the description with axes in capitals, e.g. ``Fetch CORPUS``."""
        return self.in_capitals(self.description)

    def in_capitals(self, text: str) -> str:
        """Return text of dvc.yaml with axes in capitals: ``data/raw/${item.corpus}`` -> ``data/raw/CORPUS``."""
        names = dict(zip(self.wildcards, self.axes, strict=True))
        return re.sub(r"\$\{(?:item\.)?(\w+)\}", lambda found: names.get(found[1], found[1]).upper(), text)

    def function(self) -> Callable[..., None]:
        """Import the function that runs one job; its arguments are the parameters and the values of the axes.

        Raises
        ------
        FinserError
            There is no such module, or it has no such function.
        """
        module = f"finser.{self.step}"
        try:
            return getattr(import_module(module), self.name)
        except (ModuleNotFoundError, AttributeError) as error:
            if isinstance(error, ModuleNotFoundError) and not module.startswith(error.name or " "):
                raise  # a module that this one imports is missing
            raise FinserError(f"stage {self.name}: no function '{self.name}' in {module}", where=DVC) from None


META = {field.name: field for field in fields(Stage)[4:]}


def table(written: dict | None = None) -> dict[str, Stage]:
    """Read the stages of dvc.yaml in the current folder.

    Parameters
    ----------
    written : dict, optional
        Content of dvc.yaml, if it is already read.

    Returns
    -------
    dict
        Name -> stage, in the order of the file.

    Raises
    ------
    FinserError
        A stage lacks its description or its step, has an unknown key or a value of a wrong type below ``meta``, or uses a DVC option that
        finser does not support.
    """
    written = read(DVC) if written is None else written
    for key in written.keys() - {"stages"}:
        raise FinserError(f"'{key}' is not supported", where=DVC, expected="stages alone")
    return {name: _stage(name, entry) for name, entry in (written.get("stages") or {}).items()}


def _stage(name: str, entry: dict) -> Stage:
    """Check one entry of dvc.yaml, and make a :class:`Stage` of it."""
    body = entry.get("do", entry)
    for key in (*entry, *body):
        if key not in UNDERSTOOD:  # such as wdir, vars or frozen, which change the meaning of paths, or which stages run
            raise FinserError(f"stage {name}: '{key}' is not supported", where=DVC, expected=f"one of {', '.join(sorted(UNDERSTOOD))}")
    for key in ("desc", "meta", "cmd"):
        if not body.get(key):
            raise FinserError(f"stage {name}: no {key}", where=DVC, expected="desc: WHAT IT DOES, meta: {step: ITS.MODULE}, and cmd")
    meta = _meta(name, body["meta"])
    given = {"key": entry["foreach"]} if "foreach" in entry else entry.get("matrix", {})
    axes = {meta.get("key", axis) if axis == "key" else axis: _in_words(values) for axis, values in given.items()}
    return Stage(name=name, description=body["desc"], axes=axes, wildcards=tuple(given), **meta)


def _in_words(values: str | list | dict) -> str:
    """Describe the values of an axis: ``"${corpora}"`` -> ``one of corpora in params.yaml``, a list or mapping -> its entries."""
    if isinstance(values, str):
        return f"one of {values.removeprefix('${').removesuffix('}')} in params.yaml"
    return f"one of {', '.join(map(str, values))}"


def _meta(name: str, given: dict) -> dict[str, object]:
    """Check the keys of a stage's ``meta`` and their types."""
    for key, value in given.items():
        if key not in META:
            close = get_close_matches(key, META, n=1)
            do = f"did you mean '{close[0]}'?" if close else ""
            raise FinserError(f"stage {name}: unknown key 'meta.{key}'", where=DVC, expected=f"one of {', '.join(META)}", do=do)
        if type(value) is not META[key].type:
            raise FinserError(f"stage {name}: meta.{key}", where=DVC, expected=f"a value of type {META[key].type.__name__}", found=value)
    for key, field in META.items():
        if field.default is MISSING and key not in given:
            raise FinserError(f"stage {name}: no meta.{key}", where=DVC, expected="the module of its function, e.g. features.labels")
    return given
