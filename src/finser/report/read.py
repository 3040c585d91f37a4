"""Read and check everything that the page shows, as plain records. Only files of items that params.yaml names are read."""

import json
import math
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from finser import layout
from finser.config.base import Feature
from finser.config.params import Params
from finser.config.sections.fetch import Source, Synthetic, Table
from finser.corpora.clips import LEFT_OUT
from finser.corpora.counts import expected_count
from finser.corpora.provenance import provenance
from finser.errors import FinserError
from finser.files import read_json
from finser.report.groups import grouped
from finser.summary.comparisons import baseline
from finser.summary.reading import Curve, checked, read_columns, read_figures, read_history
from finser.summary.runs import Run
from finser.summary.summarise import documents, read_runs

FEATURES: tuple[str, ...] = Feature.__args__
LIBRARIES = ("torch", "numpy", "librosa", "scikit-learn", "snakemake", "dvc", "finser")
ROLES = ("train", "validation", "test")
FIN_KEYS = (
    *("params", "params_own", "topology", "init", "front_end_init", "seed", "device", "trained_under"),
    *("conditions", "r2_test_each", "unseen", "n_test_frames", "n_test_speakers"),
)
R2_KEYS = tuple(f"r2_{where}_{kind}" for where in ("init", "test") for kind in ("uniform", "weighted"))
MEL_KEYS = tuple(key.replace("_uniform", "_db_uniform").replace("_weighted", "_db_weighted") for key in R2_KEYS if "init" not in key)
JobItem = tuple[str, ...]
Log = Mapping[tuple[str, JobItem], "Timing"]


@dataclass(frozen=True)
class CorpusCounts:
    """Counts of a corpus's index.

    Attributes
    ----------
    source : str
        ``synthetic``, ``local``, ``download`` or ``table``.
    expected : int or None
        Number of audio files that a complete copy from this source has; None for an own corpus.
    emotions : Mapping
        Kept clips per chosen emotion, without the emotions that the corpus lacks.
    other : int
        Kept clips of other emotions, which no classifier is trained or tested on.
    exclusions : tuple
        (file, reason) per exclusion; of an own corpus (clip, reason). Labels that are left out by choice come last.
    sexes : Mapping
        Speaker to ``female``, ``male`` or "" (not stated), of the kept clips.
    seconds : float
        Total length of the kept clips.
    """

    name: str
    title: str
    licence: str
    source: str
    expected: int | None
    found: int
    kept: int
    speakers: int
    seconds: float
    languages: tuple[str, ...]
    emotions: Mapping[str, int]
    other: int
    exclusions: tuple[tuple[str, str], ...]
    sexes: Mapping[str, str]


@dataclass(frozen=True)
class SplitCounts:
    """Sizes of the parts of every fold, over the pooled corpora.

    Attributes
    ----------
    sources : Mapping
        Corpus to where its test groups come from (``published``, ``assigned at random``, ...).
    parts : Mapping
        (fold, role) to (clips, speakers).
    test_speakers : Mapping
        (corpus, fold) to the number of test speakers.
    test_emotions : Mapping
        Fold to the emotions of its test part, in the order of ``emotions`` in params.yaml.
    """

    protocol: str
    leaky: bool
    sources: Mapping[str, str]
    parts: Mapping[tuple[int, str], tuple[int, int]]
    test_speakers: Mapping[tuple[str, int], int]
    test_emotions: Mapping[int, tuple[str, ...]]


@dataclass(frozen=True)
class FinResult:
    """results/fins/FEATURE.json, its training curve and time; `figures` holds every key of the file, and seconds_train.

    `frames` has columns kind (value or worst), clip_id, frame, coefficient, true, predicted, deviations.
    """

    feature: str
    figures: Mapping[str, Any]
    history: Curve
    frames: pa.Table

    def worst(self) -> list[dict[str, Any]]:
        """The value with the largest error of each of the worst frames, the worst frame first."""
        found: dict[tuple[str, int], dict] = {}
        for row in self.frames.filter(pc.equal(self.frames["kind"], "worst")).to_pylist():
            frame = (row["clip_id"], row["frame"])
            if frame not in found or row["deviations"] > found[frame]["deviations"]:
                found[frame] = row
        return list(found.values())


@dataclass(frozen=True)
class Timing:
    """Seconds and cores of the last successful run of a command on this machine."""

    seconds: float
    cores: int | None


@dataclass(frozen=True)
class Results:
    """All that the page shows."""

    params: Params
    corpora: tuple[CorpusCounts, ...]
    splits: tuple[SplitCounts, ...]
    fins: tuple[FinResult, ...]
    compared: tuple[Mapping[str, Any], ...]
    runs: tuple[Run, ...]
    figures: Mapping[str, Mapping[str, Mapping[str, Any]]]  # protocol -> model -> what results/summary/figures.json says
    costs: Mapping[str, Mapping[str, Mapping[str, Any]]]  # the same of costs.json
    comparisons: Mapping[str, Mapping[str, Mapping[str, Any]]]  # protocol -> pair -> what comparisons.json says
    log: Log
    front_end_seconds: float
    versions: Mapping[str, str]

    @property
    def models(self) -> tuple[str, ...]:
        """Models and late fusions in the order of their groups, within a group in the order of the runs."""
        return grouped(self.params, tuple(dict.fromkeys(run.model for run in self.runs)))

    @property
    def baseline(self) -> str | None:
        """The model that every other one is compared with."""
        return baseline(self.params)

    def covers(self, model: str) -> frozenset[str]:
        """Corpora that a model is tested on: those of its section, or those of a fusion's members."""
        return self.params.corpora_of(model)

    def run(self, model: str, protocol: str, fold: int) -> Run | None:
        """The run of a model on a fold, if there is one."""
        return next((run for run in self.runs if (run.model, run.protocol, run.fold) == (model, protocol, fold)), None)

    def of(self, model: str, protocol: str) -> list[Run]:
        """All folds of a model under a protocol."""
        return [run for run in self.runs if (run.model, run.protocol) == (model, protocol)]


def collect(params: Params) -> Results:
    """Read the results of everything that `params` names.

    Raises
    ------
    FinserError
        A result is missing or not readable, lacks a key, or contradicts another one.
    """
    results = Results(
        params=params,
        corpora=tuple(read_corpus(params, corpus) for corpus in params.corpora),
        splits=tuple(read_split_counts(params, protocol) for protocol in params.protocols),
        fins=tuple(read_fin(feature) for feature in FEATURES),
        compared=read_comparisons(params),
        runs=read_runs(params),
        figures=read_json(layout.summary()),
        costs=read_json(layout.costs()),
        comparisons=read_json(layout.comparisons()),
        front_end_seconds=read_json(layout.training_time("train_front_end"))["seconds_train"],
        log=read_log(layout.COMMANDS_LOG, params.preset),
        versions={"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
    )
    check_summary(results)
    return results


def _exclusions(rows: Iterable[Mapping[str, Any]], source: Source) -> list[tuple[str, str]]:
    """Return file (of an own corpus: clip) and reason of what is excluded; labels that are left out by choice come last."""
    name = "clip_id" if isinstance(source, Table) else "path"
    found = [(row[name], row["reason"]) for row in rows if row["status"] != "ok"]
    return sorted(found, key=lambda one: one[1].startswith(LEFT_OUT))


def check_summary(results: Results) -> None:
    """Raise :class:`FinserError` if a file of results/summary/ does not agree with the results of the folds."""
    for path, found in documents(results.params, results.runs).items():
        if not nearly_equal(read_json(path), found):
            raise FinserError("does not agree with the present results", where=path, do="run: finser summarise")


def nearly_equal(a: object, b: object) -> bool:
    """Whether two JSON documents are equal up to the rounding of sums, which differs between CPUs."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(nearly_equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(nearly_equal, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return a == b


def read_corpus(params: Params, corpus: str) -> CorpusCounts:
    """Count the index of a corpus."""
    source = params.fetch[corpus]
    names = ["clip_id", "path", "status", "reason", "speaker", "sex", "language", "emotion", "seconds"]
    rows = read_columns(layout.clips(corpus), names).to_pylist()
    kept = [row for row in rows if row["status"] == "ok"]
    emotions = Counter(row["emotion"] for row in kept)
    speakers = {row["speaker"] for row in kept}
    said = provenance(source, corpus)
    return CorpusCounts(
        name=corpus,
        title=said["title"],
        licence=said["licence"].split(":")[0] if isinstance(source, Synthetic) else said["licence"],
        source=source.source,
        expected=None if isinstance(source, Table) else expected_count(source, corpus, speakers),
        found=len({row["clip_id"] for row in rows}),
        kept=len(kept),
        speakers=len(speakers),
        seconds=math.fsum(row["seconds"] for row in kept),
        languages=tuple(sorted({row["language"] for row in kept} - {""})),
        emotions={emotion: emotions[emotion] for emotion in params.emotions if emotions[emotion]},
        other=sum(number for emotion, number in emotions.items() if emotion not in params.emotions),
        exclusions=tuple(_exclusions(rows, source)),
        sexes={row["speaker"]: row["sex"] for row in kept},
    )


def read_split_counts(params: Params, protocol: str) -> SplitCounts:
    """Count the parts of the folds in `params`, over the pooled corpora."""
    path, corpora = layout.split(protocol), params.pooled
    table = read_columns(path, ["fold", "corpus", "speaker", "emotion", "role"])
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    for key in ("protocol", "leaky", "folds_source"):
        if key not in metadata:
            raise FinserError(f"metadata '{key}' is missing", where=path, do=f"run: finser split {protocol}")
    rows = [row for row in table.to_pylist() if row["corpus"] in corpora and row["fold"] in params.folds]
    sources = json.loads(metadata["folds_source"])
    tested = {(row["corpus"], row["fold"], row["speaker"]) for row in rows if row["role"] == "test"}
    emotions = {(row["fold"], row["emotion"]) for row in rows if row["role"] == "test"}
    return SplitCounts(
        protocol=protocol,
        leaky=metadata["leaky"] == "true",
        sources={corpus: sources[corpus] for corpus in corpora},
        parts={(fold, role): _part(rows, fold, role) for fold in params.folds for role in ROLES},
        test_speakers=Counter((corpus, fold) for corpus, fold, _ in tested),
        test_emotions={fold: tuple(emotion for emotion in params.emotions if (fold, emotion) in emotions) for fold in params.folds},
    )


def read_fin(feature: str) -> FinResult:
    """Scores, training curve and frames of a FIN."""
    path = layout.fin_result(feature)
    figures = read_figures(path, FIN_KEYS + R2_KEYS + (MEL_KEYS if feature == "mel" else ()))
    figures |= read_json(layout.training_time("train_fin", feature))
    frames = read_columns(layout.fin_frames(feature), ["kind", "clip_id", "frame", "coefficient", "true", "predicted", "deviations"])
    return FinResult(feature, figures, read_history(layout.fin_history(feature)), frames)


def read_comparisons(params: Params) -> tuple[Mapping[str, Any], ...]:
    """Scores of the FINs of ``compare_fin`` and ``reference_fin``, in the order of :attr:`Params.compared_fins`."""
    path = layout.fin_comparisons()
    found = read_json(path)
    keys = ("feature", "way", "seed", "params", "steps", "trained_under", "unseen", *R2_KEYS)
    scores = []
    for feature, way, seed in params.compared_fins:
        one = found.get(feature, {}).get(way, {}).get(str(seed))
        if one is None:
            raise FinserError(f"no scores of {feature} {way} {seed}", where=path, do="run: dvc repro evaluate_compared")
        scores.append(checked(one, keys, path))
    return tuple(scores)


def read_log(path: Path, preset: str) -> Log:
    """The last successful command per stage and item of a preset; empty without a log, as in a clone whose results came from a cache."""
    if not path.exists():
        return {}
    log = {}
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
            if (line["status"], line["preset"]) == ("ok", preset):
                log[line["stage"], tuple(line["item"])] = Timing(float(line["seconds"]), line.get("cores"))
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise FinserError(f"line {number} is no record of a command ({error})", where=path, do="delete the line or the file") from None
    return log


def _part(rows: list[dict], fold: int, role: str) -> tuple[int, int]:
    part = [row["speaker"] for row in rows if (row["fold"], row["role"]) == (fold, role)]
    return len(part), len(set(part))
