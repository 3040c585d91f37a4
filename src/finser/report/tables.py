"""Markdown tables of corpora, folds, FINs and stages. Pure functions of records; the page writes every number in one way.

:func:`table` replaces tabulate, which pads cells to the width of their column, so that one longer number changes every line of a table
in a diff, turns text such as ``.500`` into numbers unless told otherwise, and does not escape bars.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from finser.report.read import FEATURES, ROLES, FinResult, JobItem, Results, SplitCounts

DASH = "–"
EXCLUSIONS_SHOWN = 20
WORST_SHOWN = 3  # frames of a FIN
# R2 of the published FINs on test frames and on ESD, unseen in training: real recordings, split at random by file
PUBLISHED = {"rms": (0.98, 0.97), "zcr": (0.93, 0.92), "chroma": (0.93, 0.92), "mfcc": (0.92, 0.54), "mel": (0.97, 0.97)}
PUBLISHED_HEADER = ("published, test", "published, ESD")
FEATURE_TITLES = {"rms": "RMS", "zcr": "ZCR", "chroma": "chroma", "mfcc": "MFCC", "mel": "mel"}
WAYS = {
    "closed_form": "librosa's formula",
    "staged": "random, front end trained first",
    "end_to_end": "random, all at once",
    "reference": "published network, random",
}
MODEL_TITLES = {
    "svm": "SVM (baseline)",
    "mlp": "MLP",
    "shallow_cnn": "shallow CNN",
    "small_cnn": "small CNN",
    "resnet18": "ResNet-18",
    "ast": "AST",
    "fin_ensemble": "FIN ensemble",
    "encoder_probe": "encoder, probe",
    "encoder": "encoder, dense",
    "encoder_tuned": "encoder, fine-tuned",
}
PROTOCOL_TITLES = {
    "speaker": "speaker",
    "random": "random (LEAKY)",
    "cross_corpus": "one corpus out",
    "own": "own split",
    "own_leaky": "own split (LEAKY)",
}
PER_CORPUS = ("fetch", "index", "resample", "augment", "label")


def table(header: Sequence[str], rows: Iterable[Sequence[object]], *, left: int = 1) -> str:
    """A Markdown table whose first `left` columns are aligned left, the others right."""
    marks = [":--" if column < left else "--:" for column in range(len(header))]
    lines = [header, marks, *([cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value: object) -> str:
    """Text of one cell: on one line, with bars escaped."""
    return " ".join(str(value).split()).replace("|", "\\|")


def code(text: str) -> str:
    """Text as code in a cell; it may hold backticks."""
    text = " ".join(text.split())
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def r2(value: float | None) -> str:
    """R2 to five digits, ``.99987``, rounded down, so that only 1 is shown as 1. A dash for None; fewer digits below -10."""
    if value is None:
        return DASH
    return pointed(math.floor(value * 1e5) / 1e5, 5) if value > -10 else f"{value:.1f}" if value > -1000 else f"{value:.1e}"


def two_digits(value: float) -> str:
    """A published R2, ``.98``."""
    return pointed(value, 2)


def rate(value: float | None) -> str:
    """A fraction from 0 to 1 to three digits, ``.612``; a dash for None and NaN."""
    return DASH if value is None or np.isnan(value) else pointed(value, 3)


def gain(value: float | None) -> str:
    """A signed difference of two fractions to three digits, ``+.041``; a dash for None."""
    return DASH if value is None else ("-" if value < 0 else "+") + pointed(abs(value), 3)


def count(value: int | None) -> str:
    """A whole number with commas; a dash for None."""
    return DASH if value is None else f"{value:,}"


def seconds(value: float, digits: int = 1) -> str:
    """Seconds with commas and `digits` decimals."""
    return f"{value:,.{digits}f}"


def model_title(results: Results, model: str) -> str:
    """The title of its kind, if the section has the name of its kind; else the section's name."""
    own = model in results.params.models and results.params.classifiers[model].model == model
    return MODEL_TITLES.get(model, model) if own else model


def model_cell(results: Results, model: str) -> str:
    """:func:`model_title` in Markdown, with the corpora of the model if it is not trained on all pooled ones."""
    title, covered = model_title(results, model), results.covers(model)
    shown = code(title) if title == model else title
    only = [corpus.title for corpus in results.corpora if corpus.name in covered]
    return shown if covered == set(results.params.pooled) else f"{shown}, {' and '.join(only)} only"


def grid(cells: Sequence[str], columns: int = 3) -> str:
    """A table without header with `columns` cells per row, for pictures."""
    filled = [*cells, *[""] * (-len(cells) % columns)]
    return table([""] * columns, [filled[k : k + columns] for k in range(0, len(filled), columns)], left=columns)


def corpora(results: Results) -> str:
    """Files found and clips kept of every corpus."""
    header = ["corpus", "source", "language", "licence", "found", "expected", "kept", "excluded", "speakers", "minutes"]
    rows = [
        [
            f"{c.title} (synthetic)" if c.source == "synthetic" else c.title,
            c.source,
            ", ".join(c.languages) or DASH,
            c.licence,
            count(c.found),
            count(c.expected),
            count(c.kept),
            count(len(c.exclusions)),
            count(c.speakers),
            f"{c.seconds / 60:,.1f}",
        ]
        for c in results.corpora
    ]
    total = [count(sum(getattr(c, name) for c in results.corpora)) for name in ("found", "kept", "speakers")]
    excluded = count(sum(len(c.exclusions) for c in results.corpora))
    minutes = f"{sum(c.seconds for c in results.corpora) / 60:,.1f}"
    return table(header, [*rows, ["all", "", "", "", total[0], "", total[1], excluded, total[2], minutes]], left=4)


def emotions(results: Results) -> str:
    """Kept clips per corpus and emotion; those of all other emotions in one column, if there are any."""
    chosen, others = results.params.emotions, any(c.other for c in results.corpora)
    counted = [[c.emotions.get(emotion) for emotion in chosen] + [c.other or None] * others for c in results.corpora]
    rows = [[c.title, *map(count, numbers), count(c.kept)] for c, numbers in zip(results.corpora, counted, strict=True)]
    totals = [sum(number or 0 for number in column) for column in zip(*counted, strict=True)]
    header = ["corpus", *chosen, *["other emotions"] * others, "all"]
    return table(header, [*rows, ["all", *map(count, totals), count(sum(totals))]])


def exclusions(results: Results) -> str:
    """Excluded files with their reasons, the first of every corpus; empty if there are none."""
    rows = []
    for corpus in results.corpora:
        rows += [[corpus.title, code(path), reason] for path, reason in corpus.exclusions[:EXCLUSIONS_SHOWN]]
        more = len(corpus.exclusions) - EXCLUSIONS_SHOWN
        rows += [[corpus.title, f"and {more:,} more", f"see {code(f'data/clips/{corpus.name}.parquet')}"]] if more > 0 else []
    return table(["corpus", "file", "reason"], rows, left=3) if rows else ""


def parts(results: Results, split: SplitCounts) -> str:
    """Clips and speakers per fold and part."""
    header = ["fold", *(f"{role} {what}" for role in ROLES for what in ("clips", "speakers"))]
    return table(header, [[fold, *(count(n) for role in ROLES for n in split.parts[fold, role])] for fold in results.params.folds], left=0)


def fold_sources(results: Results, split: SplitCounts) -> str:
    """Source of every corpus's test groups, and their numbers of speakers."""
    folds, titles = results.params.folds, {c.name: c.title for c in results.corpora}
    rows = [[titles[c], source, *(count(split.test_speakers.get((c, fold), 0)) for fold in folds)] for c, source in split.sources.items()]
    return table(["corpus", "test groups", *(f"test speakers, fold {fold}" for fold in folds)], rows, left=2)


def left_out(results: Results, split: SplitCounts) -> str:
    """Test corpus and emotions of every fold of `cross_corpus`, and the number of clips of other emotions, which are left out."""
    corpora = [c for c in results.corpora if c.name in split.sources]
    kept = sum(c.kept for c in corpora)
    rows = []
    for fold in results.params.folds:
        tested = ", ".join(c.title for c in corpora if split.test_speakers.get((c.name, fold)))
        emotions = split.test_emotions[fold]
        without = kept - sum(split.parts[fold, role][0] for role in ROLES)
        rows.append([fold, tested, ", ".join(emotions), len(emotions), rate(1 / len(emotions)), count(without)])
    return table(["fold", "tested", "emotions", "number", "chance UAR", "clips of other emotions, left out"], rows, left=3)


def fins(results: Results) -> str:
    """R2 of every FIN on test speakers and on each unseen corpus, with the published values; of mel in decibels, too."""
    header = ["FIN", "R2", "test speakers", *unseen(results).values(), *PUBLISHED_HEADER]
    return table(header, [row for fin in results.fins for row in _fin_rows(results, fin)], left=2)


def unseen(results: Results) -> dict[str, str]:
    """Corpora that no FIN was trained on, with their titles."""
    return {corpus.name: corpus.title for corpus in results.corpora if corpus.name in results.params.unseen_corpora}


def _fin_rows(results: Results, fin: FinResult) -> list[list[str]]:
    """A row per kind of R2; the published values are in the row of their kind."""
    rows = []
    for title, unit in [(_fin_title(fin), "")] + ([("mel, dB", "db_")] if fin.feature == "mel" else []):
        for kind in ("uniform", "weighted"):
            found = [fin.figures[f"r2_test_{unit}{kind}"], *(fin.figures["unseen"][corpus][unit + kind] for corpus in unseen(results))]
            published = map(two_digits, PUBLISHED[fin.feature]) if (unit, kind) == ("", _published_kind(fin)) else (DASH, DASH)
            rows.append([title, kind, *map(r2, found), *published])
    return rows


def _fin_title(fin: FinResult) -> str:
    return FEATURE_TITLES[fin.feature] + (", power" if fin.feature == "mel" else "")


def _published_kind(fin: FinResult) -> str:
    """The R2 that was published of a feature: weighted for mel, whose bands may be empty."""
    return "weighted" if fin.feature == "mel" else "uniform"


def fin_training(results: Results) -> str:
    """Topology, parameters and R2 before and after training of every FIN."""
    header = ["FIN", "topology", "initialisation", "front end initialised", "parameters", "of these its own"]
    header += ["R2 at initialisation", "R2 trained", "training, s"]
    return table(header, [_fin_training_row(fin) for fin in results.fins], left=4)


def _fin_training_row(fin: FinResult) -> list[str]:
    figures = fin.figures
    return [
        FEATURE_TITLES[fin.feature],
        figures["topology"],
        figures["init"],
        figures["front_end_init"] or DASH,
        count(figures["params"]),
        count(figures["params_own"]),
        *(r2(figures[f"r2_{where}_{_published_kind(fin)}"]) for where in ("init", "test")),
        seconds(figures["seconds_train"]),
    ]


def fin_conditions(results: Results) -> str:
    """R2 of every FIN under other conditions, such as noise; of mel in dB, too."""
    names = list(results.fins[0].figures["conditions"])
    rows = []
    for fin in results.fins:
        given = [fin.figures["conditions"][name] for name in names]
        for title, unit in [(_fin_title(fin), "")] + ([("mel, dB", "db_")] if fin.feature == "mel" else []):
            kinds = ("weighted",) if title == "mel, power" else ("uniform", "weighted")
            rows += [[title, kind, *(r2(scores[unit + kind]) for scores in given)] for kind in kinds]
    return table(["FIN", "R2", *(name.replace("_", " ") for name in names)], rows, left=2)


def fin_ways(results: Results) -> str:
    """R2 of FINs with other initial weights, at initialisation and after training; of several seeds the minimum and the maximum."""
    header = ["FIN", "initial weights", "seeds", "parameters", "at initialisation", "trained", "unseen, least", "published"]
    rows = []
    for fin in results.fins:
        kind = _published_kind(fin)
        published = two_digits(PUBLISHED[fin.feature][0])
        deployed = _r2s(fin.figures, kind)
        title = FEATURE_TITLES[fin.feature]
        rows.append([title, f"as used: {fin.figures['init']}", "1", count(fin.figures["params"]), *map(r2, deployed), published])
        for way in WAYS:
            found = [one for one in results.compared if (one["feature"], one["way"]) == (fin.feature, way)]
            if found:
                spans = map(_span, zip(*(_r2s(one, kind) for one in found), strict=True))
                rows.append([title, WAYS[way], str(len(found)), count(found[0]["params"]), *spans, published if way == "reference" else ""])
    return table(header, rows, left=2)


def _r2s(figures: Mapping[str, Any], kind: str) -> list[float | None]:
    """R2 at initialisation, on test speakers, and the least of the unseen corpora; None without an unseen corpus."""
    least = min((scores[kind] for scores in figures["unseen"].values()), default=None)
    return [figures[f"r2_init_{kind}"], figures[f"r2_test_{kind}"], least]


def _span(values: Sequence[float | None]) -> str:
    """One value, or the minimum and the maximum of several."""
    ends = list(dict.fromkeys(r2(value) for value in (min(values), max(values)))) if None not in values else [DASH]
    return " to ".join(ends)


def fin_speed(results: Results) -> str:
    """Microseconds per frame of every FIN and of librosa's call, if they were measured."""
    timed = [fin for fin in results.fins if "seconds_per_frame" in fin.figures]
    rows = [
        [
            FEATURE_TITLES[fin.feature],
            *(f"{1e6 * fin.figures[f'seconds_per_frame{of}']:.1f}" for of in ("", "_librosa")),
            fin.figures["device"],
        ]
        for fin in timed
    ]
    return table(["FIN", "us per frame", "librosa, us per frame (CPU)", "device of the FIN"], rows) if timed else ""


def worst_frames(results: Results) -> str:
    """Frames with the largest errors of every FIN, and the coefficient with the largest error."""
    rows = []
    for fin in results.fins:
        for row in fin.worst()[:WORST_SHOWN]:
            values = [f"{row[name]:.4g}" for name in ("true", "predicted", "deviations")]
            rows.append([FEATURE_TITLES[fin.feature], code(row["clip_id"]), str(row["frame"]), str(row["coefficient"]), *values])
    return table(["FIN", "clip", "frame", "coefficient", "librosa", "FIN", "error, deviations"], rows, left=2)


def summary_fins(results: Results) -> str:
    """R2 and sizes of the FINs, of the published networks, and of the same networks trained here."""
    header = ["FIN", "R2, test speakers", *(f"R2, {title}, unseen" for title in unseen(results).values())]
    header += ["parameters", *PUBLISHED_HEADER, "published network, trained here", "its steps", "its parameters"]
    rows = []
    for fin in results.fins:
        kind = _published_kind(fin)
        found = [fin.figures[f"r2_test_{kind}"], *(fin.figures["unseen"][corpus][kind] for corpus in unseen(results))]
        published = map(two_digits, PUBLISHED[fin.feature])
        own = [one for one in results.compared if (one["feature"], one["way"]) == (fin.feature, "reference")]
        beside = [DASH] * 3
        if own:
            beside = [_span([one[f"r2_test_{kind}"] for one in own]), count(max(one["steps"] for one in own)), count(own[0]["params"])]
        rows.append([FEATURE_TITLES[fin.feature], *map(r2, found), count(fin.figures["params"]), *published, *beside])
    return table(header, rows)


def stages(results: Results) -> str:
    """Minutes per stage, from the log of commands."""
    rows = []
    for stage, items in expected_items(results).items():
        timings = [results.log[stage, item] for item in items if (stage, item) in results.log]
        minutes = f"{sum(timing.seconds for timing in timings) / 60:,.2f}" if timings else DASH
        longest = f"{max(timing.seconds for timing in timings) / 60:,.2f}" if timings else DASH
        cores = sorted({timing.cores for timing in timings if timing.cores})
        rows.append([code(stage), count(len(items)), count(len(timings)), minutes, longest, ", ".join(map(str, cores)) or DASH])
    return table(["stage", "commands", "timed here", "minutes in all", "longest, minutes", "cores"], rows)


def expected_items(results: Results) -> dict[str, list[JobItem]]:
    """The commands whose results this page shows, by stage."""
    params = results.params
    runs = [(run.model, run.protocol, str(run.fold)) for run in results.runs if run.model in params.models]
    features = [(feature,) for feature in FEATURES]
    places = [(protocol, str(fold)) for protocol in params.protocols for fold in params.folds]
    return {
        **{stage: [(corpus,) for corpus in params.corpora] for stage in PER_CORPUS},
        "split": [(protocol,) for protocol in params.protocols],
        "split_fins": [()],
        "features": [(corpus, name) for corpus in params.pooled for name in params.features.representations],
        "embed": [(corpus, name) for corpus in params.pooled for name in params.features.encoders],
        "pool": [()],
        "noisy": places,
        "apply_fins": [(corpus,) for corpus in params.pooled if any("fins" in params.classifiers[model].reads for model in params.models)],
        "train_front_end": [()],
        "train_fin": features,
        "evaluate_fin": features,
        "compare_fin": [(one["feature"], one["way"], str(one["seed"])) for one in results.compared if one["way"] != "reference"],
        "reference_fin": [(one["feature"], str(one["seed"])) for one in results.compared if one["way"] == "reference"],
        "evaluate_compared": [()],
        "fetch_weights": [(name,) for name in params.fetch_weights],
        "pretrain": [(trunk, *where) for trunk in params.pretrain.trunks for where in places],
        "prepare_pretraining": [(trunk,) for trunk in params.pretrain.trunks],
        "prepare_classifier": [(model,) for model in params.models if model in params.train_classifier],
        "prepare_fine_tuning": [(model,) for model in params.models if model in params.fine_tune],
        "train_classifier": [(*run, str(seed)) for run in runs for seed in params.seeds_of(run[0])],
        "evaluate_classifier": runs,
        "fuse_classifiers": [(fusion, *where) for fusion in params.fusions for where in places],
        "summarise": [()],
    }


def pointed(value: float, digits: int) -> str:
    """A number with `digits` decimals, without the zero before the point."""
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
