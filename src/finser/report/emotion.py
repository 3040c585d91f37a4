"""Tables of the emotion classifiers: per fold, and of all folds' test clips together; figures are means over the seeds."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

import numpy as np

from finser import seeds
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.metrics import bootstrap, bootstrap_of_folds, f1s, paired_bootstrap, precisions, recalls
from finser.params import Classifier, FinEnsemble, Fusion
from finser.report.collect import Results
from finser.report.runs import AGAIN, CALIBRATION, Run, Tested
from finser.report.tables import DASH, FEATURE_TITLES, PROTOCOL_TITLES, code, count, gain, model_cell, pointed, rate, seconds, table

NOISES = ("clean", "white", "babble")
PER_CLASS = {"precision": precisions, "recall": recalls, "F1": f1s}


def by_fold(results: Results, protocol: str) -> str:
    """Every model and fold under a protocol, the floor beside every other model, and means over the folds with their intervals."""
    uar_interval, wa_interval, f1_interval = (f"{name}, {_interval_title(results)}" for name in ("UAR", "WA", "F1"))
    header = ["model", "fold", "UAR", uar_interval, "floor UAR", "UAR - floor", "WA", wa_interval, "macro-F1", f1_interval]
    rows = []
    for model in results.models:
        runs = results.of(model, protocol)
        rows += [_run_row(results, run) for run in runs]
        rows += [_mean_row(results, model, protocol)] if len(runs) > 1 else []
    return table([*header, "test clips", "test speakers"], rows)


def _run_row(results: Results, run: Run) -> list[str]:
    figures = run.figures
    floor = floor_of(results, run.model)
    floor_uar = results.run(floor, run.protocol, run.fold).figures["uar"] if floor else None
    return [
        model_cell(results, run.model),
        str(run.fold),
        with_range(figures["uar"], figures["uar_seeds"]),
        _interval(run, "uar"),
        rate(floor_uar),
        gain(difference(figures["uar"], floor_uar)),
        rate(figures["wa"]),
        _interval(run, "wa"),
        rate(figures["f1_macro"]),
        _interval(run, "f1_macro"),
        count(figures["n_test"]),
        count(figures["n_test_speakers"]),
    ]


def _mean_row(results: Results, model: str, protocol: str) -> list[str]:
    runs = results.of(model, protocol)
    uars = [run.figures["uar"] for run in runs]
    of_seeds = np.mean([run.figures["uar_seeds"] for run in runs], axis=0)
    floor = mean_uar(results, floor_of(results, model), protocol)
    wa, f1 = (fmean(run.figures[key] for run in runs) for key in ("wa", "f1_macro"))
    mean = fmean(uars)
    of_folds = f"mean; {rate(min(uars))} to {rate(max(uars))}"
    bold = [f"**{value}**" for value in (model_cell(results, model), of_folds, with_range(mean, of_seeds))]
    of_uar, of_wa, of_f1 = (_range(interval) for interval in mean_intervals(results, model, protocol).values())
    return [*bold, of_uar, rate(floor), gain(difference(mean, floor)), rate(wa), of_wa, rate(f1), of_f1, "", ""]


def mean_intervals(results: Results, model: str, protocol: str) -> dict[str, tuple[float, float] | None]:
    """Intervals of the means over the folds of UAR, WA and macro-F1, in this order, speakers resampled within every fold and corpus.

    None if in any of the folds no corpus has two test speakers; see :func:`finser.metrics.bootstrap_of_folds`.
    """
    options, rng = results.params.evaluate_classifier, _draws(results, protocol)
    folds = [(run.tested.truth, run.tested.predicted, run.tested.speakers) for run in results.of(model, protocol)]
    return bootstrap_of_folds(folds, len(EMOTIONS), resamplings=options.bootstrap, confidence=options.confidence, rng=rng)


def with_range(mean: float, each: Sequence[float]) -> str:
    """``.612 (.598 to .630)``: the mean, and the least and the largest where there are several, seeds or folds."""
    return rate(mean) + (f" ({rate(min(each))} to {rate(max(each))})" if len(each) > 1 else "")


def floor_of(results: Results, model: str) -> str | None:
    """The floor, where it is another model, tested on the same corpora."""
    floor = results.floor
    return floor if floor and floor != model and results.covers(floor) == results.covers(model) else None


def without_floor(results: Results) -> list[str]:
    """Models that no floor can be compared with: they are tested on other corpora."""
    return [model for model in results.models if results.floor not in (None, model) and not floor_of(results, model)]


def mean_uar(results: Results, model: str | None, protocol: str) -> float | None:
    """Mean UAR over the folds; None if the model was not run."""
    uars = [run.figures["uar"] for run in results.of(model, protocol)] if model else []
    return fmean(uars) if uars else None


def difference(value: float | None, other: float | None) -> float | None:
    """Of the rounded numbers, so that what the page shows adds up."""
    return None if value is None or other is None else round(value, 3) - round(other, 3)


def gap(results: Results) -> str:
    """How much of a UAR is due to hearing the test speakers in training."""
    rows = []
    for model in results.models:
        leaky, apart = (mean_uar(results, model, protocol) for protocol in ("random", "speaker"))
        rows.append([model_cell(results, model), rate(leaky), rate(apart), gain(difference(leaky, apart))])
    return table(["model", "UAR random (LEAKY)", "UAR speaker", "gap"], rows)


def summary(results: Results) -> str:
    """The classifiers in brief: mean UAR over the folds with their range, its interval, distance to the floor, parameters."""
    protocols = results.params.protocols
    rows = []
    for model in results.models:
        cells = []
        for protocol in protocols:
            runs = results.of(model, protocol)
            uars = [run.figures["uar"] for run in runs]
            floor = mean_uar(results, floor_of(results, model), protocol)
            interval = _range(mean_intervals(results, model, protocol)["uar"]) if len(runs) > 1 else _interval(runs[0], "uar")
            cells += [with_range(fmean(uars), uars), interval, gain(difference(fmean(uars), floor))]
        rows.append([model_cell(results, model), *cells, _sizes(results, model)])
    header = [text for name in protocols for text in (f"UAR, {PROTOCOL_TITLES[name]}", _interval_title(results), "UAR - floor")]
    return table(["model", *header, "parameters"], rows)


def _sizes(results: Results, model: str, protocol: str | None = None) -> str:
    """Parameters, the least and the largest where folds differ."""
    runs = [run for run in results.runs if run.model == model and protocol in (None, run.protocol)]
    return _span([run.figures.get("params") for run in runs])


def _span(values: Sequence[int | None]) -> str:
    """Whole numbers: the one, or the least and the largest; a dash where there are none."""
    known = [value for value in values if value is not None]
    return " to ".join(dict.fromkeys(count(end) for end in (min(known), max(known)))) if known else DASH


def per_class(results: Results, protocol: str) -> str:
    """Precision, recall and F1 per emotion, all folds together."""
    present = emotions_of(results)
    rows = []
    for model in results.models:
        confusions = results.tested(model, protocol).confusions
        for name, figure in PER_CLASS.items():
            scores = figure(confusions).mean(0)
            rows.append([model_cell(results, model), name, *(rate(scores[EMOTIONS.index(emotion)]) for emotion in present)])
    return table(["model", "figure", *present], rows, left=2)


def emotions_of(results: Results) -> list[str]:
    """Emotions that the classifiers' corpora have."""
    names = results.params.pooled
    return [emotion for emotion in EMOTIONS if any(emotion in c.emotions for c in results.corpora if c.name in names)]


def per_corpus(results: Results, protocol: str) -> str:
    """UAR on the test clips of each corpus, all folds together, over the emotions that it has."""
    names = {c.name: c.title for c in results.corpora if c.name in results.params.pooled}
    rows = []
    for model in results.models:
        tested = results.tested(model, protocol)
        parts = [tested.where(tested.corpora == name) for name in names]
        rows.append([model_cell(results, model), *(rate(part.uar if len(part) else None) for part in parts)])
    return table(["model", *names.values()], rows)


def per_sex(results: Results, protocol: str) -> str:
    """UAR on the test clips of women and of men, all folds together."""
    rows = []
    for model in results.models:
        tested, cells, uars = results.tested(model, protocol), [], []
        for sex in ("female", "male"):
            part = tested.of([speaker for speaker, of in results.sexes.items() if of == sex])
            uars.append(part.uar if len(part) else None)
            cells += [count(len(set(part.speakers))), rate(uars[-1])]
        rows.append([model_cell(results, model), *cells, gain(difference(*uars))])
    return table(["model", "women", "UAR, women", "men", "UAR, men", "women - men"], rows)


def one_sex(results: Results) -> list[str]:
    """Corpora, of those that the classifiers learn from, in which all speakers are of one sex."""
    return [c.title for c in results.corpora if c.name in results.params.pooled and len(set(c.sexes.values())) == 1]


def speaker_uars(tested: Tested) -> dict[str, float]:
    """UAR of every speaker over the emotions that were heard of them, the least first."""
    found = {str(speaker): tested.of([speaker]).uar for speaker in np.unique(tested.speakers)}
    return dict(sorted(found.items(), key=lambda one: one[1]))


def per_speaker(results: Results, protocol: str) -> str:
    """The speaker that a model does worst on, the median, and the one that it does best on."""
    rows = []
    for model in results.models:
        uars = speaker_uars(results.tested(model, protocol))
        (worst, least), *_, (best, largest) = [*uars.items()] * 2  # one speaker is both
        middle = rate(median(uars.values()))
        rows.append([model_cell(results, model), count(len(uars)), worst, rate(least), middle, best, rate(largest)])
    return table(["model", "speakers", "worst", "its UAR", "median UAR", "best", "its UAR"], rows)


def calibration(results: Results, protocol: str) -> str:
    """ECE and NLL before and after temperature scaling, means over the folds."""
    rows = []
    for model in results.models:
        runs = results.of(model, protocol)
        t, *others = (fmean(run.figures[key] for run in runs) for key in CALIBRATION)
        rows.append([model_cell(results, model), pointed(t, 2), *(pointed(value, 3) for value in others)])
    return table(["model", "temperature", "ECE", "ECE, scaled", "NLL, nats", "NLL, scaled"], rows)


def noise_curves(results: Results, protocol: str) -> dict[str, dict[tuple[str, float], float]]:
    """Per model that was heard in noise: (kind, SNR in dB) -> UAR, mean over the folds; clean is ("clean", inf)."""
    curves = {}
    for model in results.models:
        given = [run.figures.get("noise") or {} for run in results.of(model, protocol)]
        points = {(kind, snr) for one in given for kind, curve in one.items() for snr in curve}
        if points:
            curves[model] = {(kind, float(snr)): fmean(one[kind][snr] for one in given) for kind, snr in points}
    return curves


def noise(results: Results, protocol: str) -> str:
    """UAR in noise, mean over the folds; empty if nothing was heard in noise."""
    curves = noise_curves(results, protocol)
    points = sorted({point for curve in curves.values() for point in curve}, key=lambda point: (NOISES.index(point[0]), -point[1]))
    header = [kind if np.isinf(snr) else f"{kind}, {snr:g} dB" for kind, snr in points]
    rows = [[model_cell(results, model), *(rate(curve.get(point)) for point in points)] for model, curve in curves.items()]
    return table(["model", *header], rows) if rows else ""


def learning_curves(results: Results) -> list[list[str]]:
    """Models that differ only in the share of the training speakers, the smallest share first; curves of two points or more."""
    sections, alike = results.params.train_classifier, {}
    for model in results.params.models:
        alike.setdefault(sections[model].model_dump_json(exclude={"speakers"}), []).append(model)
    curves = [sorted(models, key=lambda model: sections[model].speakers) for models in alike.values()]
    return [curve for curve in curves if sections[curve[0]].speakers < sections[curve[-1]].speakers]


def training_speakers(results: Results, model: str, protocol: str) -> float:
    """Mean number over the folds."""
    return fmean(run.figures["n_train_speakers"] for run in results.of(model, protocol))


def learning(results: Results, protocol: str) -> str:
    """UAR over the number of training speakers, all folds together; empty if no sections differ only in that."""
    rows = []
    for curve in learning_curves(results):
        for model in curve:
            tested = results.tested(model, protocol)
            share = f"{results.params.train_classifier[model].speakers:.0%}"
            speakers = f"{training_speakers(results, model, protocol):,.1f}".removesuffix(".0")
            rows.append([model_cell(results, model), share, speakers, rate(tested.uar), _range(uar_interval(results, model, protocol))])
    header = ["model", "share of the speakers", "training speakers", "UAR", f"UAR, {_interval_title(results)}"]
    return table(header, rows) if rows else ""


def uar_interval(results: Results, model: str, protocol: str) -> tuple[float, float] | None:
    """Interval of the UAR of all folds' clips under resampling of the speakers within their corpora; None where no corpus has two.

    Of one fold it is that of metrics.json, so that a page gives it once.
    """
    runs, options = results.of(model, protocol), results.params.evaluate_classifier
    if len(runs) == 1:
        return _ends(runs[0], "uar")
    tested = results.tested(model, protocol)
    given = (tested.truth, tested.predicted, tested.speakers, len(EMOTIONS))
    return bootstrap(*given, resamplings=options.bootstrap, confidence=options.confidence, rng=_draws(results, protocol))["uar"]


def pairs_of(results: Results) -> list[tuple[str, str]]:
    """Every model with the floor, where it can be, and what ``report.pairs`` names."""
    with_floor = [(model, floor) for model in results.models if (floor := floor_of(results, model))]
    return list(dict.fromkeys([*with_floor, *results.params.report.pairs]))


def pairs(results: Results, protocol: str) -> str:
    """Differences of UAR between two models on the same resampled speakers, all folds together; empty without a pair."""
    options, rows = results.params.evaluate_classifier, []
    for a, b in pairs_of(results):
        check_same_clips(results, protocol, a, b)
        one, other = (results.tested(model, protocol) for model in (a, b))
        given = (one.truth, one.predicted, other.predicted, one.speakers, len(EMOTIONS))
        rng = _draws(results, protocol)
        found = paired_bootstrap(*given, resamplings=options.bootstrap, confidence=options.confidence, rng=rng)["uar"]
        interval = None if found.low is None else (found.low, found.high)
        uars = [rate(one.uar), rate(other.uar), gain(difference(one.uar, other.uar))]
        rows.append([model_cell(results, a), model_cell(results, b), *uars, _range(interval, gain), rate(found.p)])
    header = ["model", "against", "UAR", "UAR against", "difference", f"difference, {_interval_title(results)}", "p"]
    return table(header, rows, left=2) if rows else ""


def check_same_clips(results: Results, protocol: str, a: str, b: str) -> None:
    """Raise :class:`FinserError` if two models were tested on different clips in a fold."""
    for one, other in zip(results.of(a, protocol), results.of(b, protocol), strict=True):
        if not np.array_equal(one.tested.clip_ids, other.tested.clip_ids):
            what = f"{a} and {b} were tested on different clips, so they cannot be compared: {protocol}, fold {one.fold}"
            raise FinserError(what, expected=f"{len(one.tested)} clips of {a}", found=f"{len(other.tested)} of {b}", do=AGAIN)


def sections(results: Results) -> str:
    """What stands behind every row: the kind of each section of params.yaml, what sets it apart, and what it learns from."""
    header = ["model", "kind", "in particular", "trained on", "training speakers", "epochs, at most"]
    given, fusions = results.params.train_classifier, results.params.fuse_classifiers
    rows = [[model_cell(results, model), *_section_row(given[model])] for model in results.params.models]
    rows += [[model_cell(results, name), "late fusion", _fusion(fusions[name]), DASH, DASH, DASH] for name in results.params.fusions]
    return table(header, rows, left=4)


def _section_row(section: Classifier) -> list[str]:
    learned = ", ".join(variant.replace("_", " ") for variant in section.variants)
    return [section.model, _particular(section), learned, f"{section.speakers:.0%}", count(getattr(section, "epochs", None))]


def _particular(section: Classifier) -> str:
    """Arm and features of a ``fin_ensemble``; size or width of other networks, and what they begin from; a dash for none of these."""
    if isinstance(section, FinEnsemble):
        fins = ", ".join(FEATURE_TITLES[name] for name in section.fins) or "none"
        return f"arm {section.arm}; FINs: {fins}; crops of {section.crop_frames} frames"
    origin = {"imitation": "trunk", "weights": "weights"}.get(getattr(section, "init", "scratch"))
    shown = {"model_size": "size", "width": "width"}
    said = [f"{word} {getattr(section, key)}" for key, word in shown.items() if hasattr(section, key)]
    said += [f"begins from the {origin} {code(getattr(section, origin))}"] if origin else []
    return "; ".join(said) or DASH


def _fusion(section: Fusion) -> str:
    return f"{section.method} of {', '.join(map(code, section.members))}"


def weights(results: Results, protocol: str) -> str:
    """Share that each member has in a late fusion, all its seeds together, mean over the folds and range; empty without a fusion."""
    rows = []
    for fusion in results.params.fusions:
        runs = results.of(fusion, protocol)
        for member in results.params.fuse_classifiers[fusion].members:
            shares = [_share(run.figures["weights"], member) for run in runs]
            rows.append([model_cell(results, fusion), model_cell(results, member), with_range(fmean(shares), shares)])
    return table(["fusion", "member", "weight"], rows, left=2) if rows else ""


def _share(given: Mapping[str, float], member: str) -> float:
    """Sum over the member's seeds, of weights by ``MODEL SEED``."""
    return sum(weight for name, weight in given.items() if name.rsplit(" ", 1)[0] == member)


def cost(results: Results, protocol: str) -> str:
    """What a model costs, means over folds and seeds."""
    header = ["model", "parameters", "epochs", "seconds per epoch", "training, s", "ms per clip", "device"]
    return table(header, [_cost_row(results, model, protocol) for model in results.models])


def _cost_row(results: Results, model: str, protocol: str) -> list[str]:
    figures = [run.figures for run in results.of(model, protocol)]
    epochs = [number for one in figures for number in one.get("epochs", [])]
    per_epoch, training, per_clip = (_mean(figures, *one) for one in (("seconds_per_epoch", 2), ("seconds_train", 1), ("ms_per_clip", 2)))
    devices = ", ".join(sorted({one["device"] for one in figures if "device" in one})) or DASH
    learns_once = model in results.params.models and results.params.train_classifier[model].model == "svm"
    in_epochs = [DASH, DASH] if learns_once else [_span(epochs), per_epoch]
    return [model_cell(results, model), _sizes(results, model, protocol), *in_epochs, training, per_clip, devices]


def _mean(figures: Sequence[Mapping[str, Any]], key: str, digits: int) -> str:
    """Mean of a figure, where it was taken; a dash where it was not."""
    values = [one[key] for one in figures if key in one]
    return seconds(fmean(values), digits) if values else DASH


def heard(results: Results, protocol: str) -> list[str]:
    """Per model that tested speakers whose audio the FINs had learned from: how many, fold by fold."""
    lines = []
    for model in results.models:
        found = [run for run in results.of(model, protocol) if run.figures.get("n_test_speakers_heard_by_fins")]
        folds = [f"fold {run.fold}: {run.figures['n_test_speakers_heard_by_fins']} of {run.figures['n_test_speakers']}" for run in found]
        lines += [f"{model_cell(results, model)}: {'; '.join(folds)} test speakers"] if folds else []
    return lines


def _draws(results: Results, protocol: str) -> np.random.Generator:
    """The same speakers for all models of a protocol."""
    return seeds.generator(results.params.seed, "report", protocol)


def _interval_title(results: Results) -> str:
    return f"{results.params.evaluate_classifier.confidence:.0%} interval"


def _interval(run: Run, name: str) -> str:
    """``.412 to .603``; a dash where no corpus has two test speakers."""
    return _range(_ends(run, name))


def _ends(run: Run, name: str) -> tuple[float, float] | None:
    """Of the interval in metrics.json; None where no corpus has two test speakers."""
    low, high = (run.figures[f"{name}_ci_{end}"] for end in ("low", "high"))
    return None if low is None else (low, high)


def _range(ends: tuple[float, float] | None, written: Callable[[float], str] = rate) -> str:
    return DASH if ends is None else " to ".join(map(written, ends))
