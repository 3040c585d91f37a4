"""The table of changes and the stages that they rerun, in docs/architecture.md, generated from dvc.yaml (a test compares them)."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import get_args

from finser.config.base import Protocol
from finser.config.reading import read
from finser.config.sections.classifiers import FINS, KINDS, PRETRAINED, PUBLISHED
from finser.config.sections.features import REPRESENTATIONS
from finser.project.stages import DVC

BEGIN, END = "<!-- reruns:begin -->", "<!-- reruns:end -->"
HEAD = "| change | runs | runs then, but only if the bytes of its inputs have changed |\n| :-- | :-- | :-- |\n"
EDITS = {  # in words -> a file, a key of params.yaml, or a library
    "synthetic voices: synthetic/sentences.py": "src/finser/synthetic/sentences.py",
    "noise of test clips: features/noisy.py": "src/finser/features/noisy.py",
    "filter banks: features/filter_banks.py": "src/finser/features/filter_banks.py",
    "one kind of classifier: models/small_cnn.py": "src/finser/models/small_cnn.py",
    "the training loop: training/loop.py": "src/finser/training/loop.py",
    "a template of the report": "src/finser/report/report.md.jinja",
    "the version of librosa": "librosa",
    "`corpora`: a new corpus outside `pooled`": "corpora",
    "`emotions`": "emotions",
    "settings of one classifier from random weights": "train_classifier.*",
    "`evaluate_classifier.noise`": "evaluate_classifier.noise",
    "`train_fin.mel`": "train_fin.*",
}
CONCERN_NO_OTHER = {  # stages that run after an edit and make new files beside the old ones, or the same bytes again
    "corpora": ("fetch", "index", "resample", "augment", "label", "split", "split_fins", "pool"),
}
MADE = ("outs", "metrics", "plots")
INITIAL = (FINS, *(folder.rstrip("/") for folder in (PRETRAINED, PUBLISHED)))  # what ``init`` may name


def markdown() -> str:
    """Make the table for dvc.yaml in the current folder, with a line for each of :data:`EDITS`."""
    stages = {name: entry.get("do", entry) for name, entry in read(DVC)["stages"].items()}
    begins = {
        name: [one["begin"] for one in entry["foreach"].values()] for name, entry in read(DVC)["stages"].items() if name == "train_fin"
    }
    reads = {name: [path for dep in body["deps"] for path in _filled(dep, begins.get(name, ()))] for name, body in stages.items()}
    outs = {name: [_name(out) for section in MADE for out in body.get(section, ())] for name, body in stages.items()}
    makes = {name: [path for out in paths for path in _by_protocol(out)] for name, paths in outs.items()}
    lines = []
    for words, changed in EDITS.items():
        first = [name for name, body in stages.items() if changed in _followed(body) or any(_overlap(changed, dep) for dep in reads[name])]
        then = _downstream(first, reads, {**makes, **dict.fromkeys(CONCERN_NO_OTHER.get(changed, ()), [])})
        lines.append(f"| {words} | {_listed(first)} | {_listed([name for name in stages if name in then])} |\n")
    return HEAD + "".join(lines)


def _downstream(first: list[str], reads: dict[str, list[str]], makes: dict[str, list[str]]) -> set[str]:
    """Return the stages that depend on some stages, directly or not, without those stages."""
    found, waiting = set(), list(first)
    while waiting:
        outs = makes[waiting.pop()]
        new = {name for name, deps in reads.items() if name not in found and any(_overlap(out, dep) for out in outs for dep in deps)}
        found |= new
        waiting += new
    return found - set(first)


def _followed(body: dict) -> Iterator[str]:
    """Yield the keys and libraries that a stage depends on, with ``*`` for any item, and the keys that list its jobs."""
    yield from re.findall(r"\$\{([a-z_.]+)\}", str(body.get("matrix", "")))
    for entry in body.get("params", ()):
        yield from [re.sub(r"\$\{[^}]*\}", "*", entry)] if isinstance(entry, str) else (name for names in entry.values() for name in names)


def _filled(dep: str, begins: list[str]) -> list[str]:
    """Return the possible values of a dependency: fields of the stage's own list, ``init``, or modules that are imported by name."""
    if dep in ("${item.begin}", "${item.init}"):
        return begins if dep == "${item.begin}" else list(INITIAL)
    for axis, names in (("${item.model}", KINDS), ("${item.representation}", REPRESENTATIONS)):
        if dep.startswith("src/") and axis in dep:
            return [dep.replace(axis, name) for name in names]
    return [dep]


def _by_protocol(out: str) -> list[str]:
    """Return an output for each protocol, so that the splits of protocols are not taken for that of FINs."""
    return list(dict.fromkeys(out.replace("${item.protocol}", protocol) for protocol in get_args(Protocol)))


def _name(out: str | dict) -> str:
    return out if isinstance(out, str) else next(iter(out))


def _overlap(a: str, b: str) -> bool:
    """Return whether one path equals the other or lies below it; an axis matches any value."""
    if not (a.startswith(("src/", "data/", "models/", "results/")) and "/" in b):
        return False
    parts = (re.sub(r"\$\{[^}]*\}", "*", path).split("/") for path in (a, b))
    return all(one is None or two is None or _alike(one, two) for one, two in zip_longest(*parts))


def _alike(one: str, two: str) -> bool:
    pattern = re.escape(one).replace(r"\*", ".*")
    other = re.escape(two).replace(r"\*", ".*")
    return bool(re.fullmatch(pattern, two) or re.fullmatch(other, one))


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"
