"""Tables of the emotion classifiers. They format the numbers of results/summary/ and of metrics.json, and compute none."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from finser.config.fields import init_kind
from finser.config.sections.classifiers import ClassifierSection, FinEnsemble
from finser.report.groups import group_of, grouped
from finser.report.read import Results
from finser.report.tables import DASH, FEATURE_TITLES, PROTOCOL_TITLES, code, count, gain, model_cell, pointed, rate, seconds, table
from finser.summary.comparisons import baseline_of
from finser.summary.runs import CALIBRATION, Run

NOISES = ("clean", "white", "babble")
# keys of sections that the table of models shows, and the values that it leaves out
SHOWN = {
    "representation": "input",
    "model_size": "size",
    "width": "width",
    "probe": "probe",
    "layer": "layer",
    "lora_rank": "LoRA of rank",
    "frozen_layers": "frozen layers",
}
UNSAID = {"representation": "statistics", "lora_rank": 0, "frozen_layers": 0}
PER_CLASS = {"precision": "precision", "recall": "recall", "f1": "F1"}


def by_fold(results: Results, protocol: str) -> str:
    """Scores with intervals of every model: of each fold, and of all folds together."""
    header = [text for name in ("UAR", "WA", "macro-F1") for text in (name, f"{name}, {_interval_title(results)}")]
    rows = []
    for model in results.models:
        runs = results.of(model, protocol)
        rows += [_run_row(results, run) for run in runs]
        rows += [_all_row(results, model, protocol)] if len(runs) > 1 else []
    return table(["group", "model", "fold", *header, "test clips", "test speakers"], rows, left=2)


def _named(results: Results, model: str) -> list[str]:
    """Group and name of a model, the first cells of its row."""
    return [group_of(results.params, model), model_cell(results, model)]


def _run_row(results: Results, run: Run) -> list[str]:
    figures, cells = run.figures, []
    for name in ("uar", "wa", "f1_macro"):
        bounds = {end: figures[f"{name}_ci_{end}"] for end in ("low", "high", "centre")}
        shown = with_range(figures[name], figures["uar_seeds"]) if name == "uar" else rate(figures[name])
        cells += [shown, interval(results, {**bounds, "corpora": figures["interval_corpora"]}, run.model)]
    return [*_named(results, run.model), str(run.fold), *cells, count(figures["n_test"]), count(figures["n_test_speakers"])]


def _all_row(results: Results, model: str, protocol: str) -> list[str]:
    one = results.figures[protocol][model]
    cells = [f"**{with_range(one['uar']['value'], one['uar_seeds'])}**", interval(results, one["uar"], model)]
    for name in ("wa", "f1_macro"):
        cells += [rate(one[name]["value"]), interval(results, one[name], model)]
    group, name = _named(results, model)
    return [group, f"**{name}**", "**all**", *cells, count(one["n_test"]), count(one["n_test_speakers"])]


def with_range(mean: float, each: Sequence[float]) -> str:
    """``.612 (.598 to .630)``: the mean, and the minimum and the maximum of several seeds or folds."""
    return rate(mean) + (f" ({rate(min(each))} to {rate(max(each))})" if len(each) > 1 else "")


def interval(results: Results, estimate: Mapping[str, Any], model: str, shown: Callable[[float], str] = rate) -> str:
    """``.412 to .603``; a dash if there is no interval.

    If the interval covers only some corpora of the model, ``.412 to .603 about .508 (RAVDESS)``: the score of the covered corpora, which is
    the centre of the interval, and their titles.
    """
    if estimate["low"] is None:
        return DASH
    covered = set(estimate["corpora"])
    only = [corpus.title for corpus in results.corpora if corpus.name in covered]
    bounds = f"{shown(estimate['low'])} to {shown(estimate['high'])}"
    if covered == results.covers(model):
        return bounds
    return f"{bounds} about {shown(estimate['centre'])} ({', '.join(only)})"


def partial_intervals(results: Results) -> bool:
    """Whether any interval covers only some of a model's corpora."""
    given = [(one["uar"], model) for models in results.figures.values() for model, one in models.items()]
    return any(estimate["corpora"] and set(estimate["corpora"]) != results.covers(model) for estimate, model in given)


def corrected(results: Results, protocol: str) -> int:
    """Number of comparisons that have a p, which Holm's method corrects for."""
    return sum(one["p"] is not None for one in results.comparisons[protocol].values())


def without_baseline(results: Results) -> list[str]:
    """Models that are tested on other corpora than the baseline, and so cannot be compared with it."""
    return [model for model in results.models if results.baseline not in (None, model) and not baseline_of(results.params, model)]


def against_baseline(results: Results, model: str, protocol: str) -> Mapping[str, Any] | None:
    """The comparison of a model with the baseline; None without a baseline."""
    return results.comparisons[protocol].get(f"{model} - {baseline_of(results.params, model)}")


def gap(results: Results) -> str:
    """UAR under the leaky and the speaker-independent protocol, and the difference."""
    random, speaker = results.figures["random"], results.figures["speaker"]
    rows = [
        [*_named(results, model), rate(random[model]["uar"]["value"]), rate(speaker[model]["uar"]["value"]), gain(random[model]["leak"])]
        for model in results.models
    ]
    return table(["group", "model", "UAR random (LEAKY)", "UAR speaker", "gap"], rows, left=2)


def summary(results: Results) -> str:
    """UAR of all folds with the range over the folds, its interval, its difference from the baseline, and parameters."""
    protocols = results.params.protocols
    rows = []
    for model in results.models:
        cells = []
        for protocol in protocols:
            one, compared = results.figures[protocol][model], against_baseline(results, model, protocol)
            cells += [with_range(one["uar"]["value"], list(one["uar_folds"].values())), interval(results, one["uar"], model)]
            cells += [gain(compared["value"]) if compared else DASH]
        rows.append([*_named(results, model), *cells, *_sizes(results, model, protocols)])
    header = [text for name in protocols for text in (f"UAR, {PROTOCOL_TITLES[name]}", _interval_title(results), "UAR - baseline")]
    return table(["group", "model", *header, *_size_titles(results)], rows, left=2)


def _size_titles(results: Results) -> list[str]:
    return ["parameters", "parameters of the encoder"] if with_encoders(results) else ["parameters"]


def _sizes(results: Results, model: str, protocols: Sequence[str]) -> list[str]:
    """The least and the largest number of parameters over some protocols; if any model uses an encoder, also the encoder's number."""
    given = [results.costs[protocol][model] for protocol in protocols]
    own = _span([number for one in given for number in one["params"] or ()])
    return [own, count(given[0]["encoder_params"])] if with_encoders(results) else [own]


def with_encoders(results: Results) -> bool:
    """Whether a model of the run uses an encoder of speech."""
    return any(results.params.classifiers[model].needs_encoder for model in results.params.models)


def _span(values: Sequence[int] | None) -> str:
    """One whole number, or the minimum and the maximum of several; a dash for none."""
    return " to ".join(dict.fromkeys(count(end) for end in (min(values), max(values)))) if values else DASH


def per_class(results: Results, protocol: str) -> str:
    """Precision, recall and F1 per emotion, all folds together."""
    present, rows = emotions_of(results), []
    for model in results.models:
        classes = results.figures[protocol][model]["classes"]
        for name, title in PER_CLASS.items():
            rows.append([*_named(results, model), title, *(rate(classes[emotion][name]) for emotion in present)])
    return table(["group", "model", "score", *present], rows, left=3)


def emotions_of(results: Results) -> list[str]:
    """Chosen emotions of the pooled corpora."""
    names = results.params.pooled
    return [emotion for emotion in results.params.emotions if any(emotion in c.emotions for c in results.corpora if c.name in names)]


def per_corpus(results: Results, protocol: str) -> str:
    """UAR and interval on the test clips of each corpus, all folds together, over the emotions that it has."""
    names = {c.name: c.title for c in results.corpora if c.name in results.params.pooled}
    rows = []
    for model in results.models:
        of, cells = results.figures[protocol][model]["corpora"], []
        for name in names:
            estimate = of[name]["uar"] if name in of else None
            bounds = f" ({rate(estimate['low'])} to {rate(estimate['high'])})" if estimate and estimate["low"] is not None else ""
            cells.append(rate(estimate["value"]) + bounds if estimate else DASH)
        rows.append([*_named(results, model), *cells])
    return table(["group", "model", *names.values()], rows, left=2)


def hints(results: Results, protocol: str) -> str:
    """UAR with all emotions allowed, and restricted to those of the clip's corpus.

    Empty if all corpora have the same emotions, and under ``cross_corpus``, where training and test clips have the same emotions.
    """
    if (
        protocol == "cross_corpus"
        or len({frozenset(corpus.emotions) for corpus in results.corpora if corpus.name in results.params.pooled}) < 2
    ):
        return ""
    rows = []
    for model in results.models:
        one = results.figures[protocol][model]
        gained = one["restricted_gain"]
        values = [rate(one["uar"]["value"]), rate(one["restricted"]["value"]), gain(gained["value"])]
        rows.append([*_named(results, model), *values, interval(results, gained, model, gain)])
    return table(["group", "model", "UAR", "UAR, own emotions", "gain", f"gain, {_interval_title(results)}"], rows, left=2)


def per_sex(results: Results, protocol: str) -> str:
    """UAR on the test clips of women and of men, all folds together; empty if the sex of no speaker is stated."""
    if not any(sex for corpus in results.corpora if corpus.name in results.params.pooled for sex in corpus.sexes.values()):
        return ""
    rows = []
    for model in results.models:
        sexes = results.figures[protocol][model]["sexes"]
        cells = [cell for one in (sexes["female"], sexes["male"]) for cell in (count(one["n_test_speakers"]), rate(one["uar"]))]
        rows.append([*_named(results, model), *cells, gain(sexes["female_minus_male"])])
    return table(["group", "model", "women", "UAR, women", "men", "UAR, men", "women - men"], rows, left=2)


def one_sex(results: Results) -> list[str]:
    """Pooled corpora in which all speakers are of one sex."""
    return [c.title for c in results.corpora if c.name in results.params.pooled and set(c.sexes.values()) in ({"female"}, {"male"})]


def unstated_sex(results: Results) -> bool:
    """Return whether a pooled corpus has speakers whose sex is not stated."""
    return any("" in c.sexes.values() for c in results.corpora if c.name in results.params.pooled)


def speaker_uars(results: Results, model: str, protocol: str) -> dict[str, float]:
    """UAR of every speaker over the emotions of their test clips, the least first."""
    return dict(sorted(results.figures[protocol][model]["speakers"].items(), key=lambda one: one[1]))


def per_speaker(results: Results, protocol: str) -> str:
    """The speakers with the minimum and the maximum UAR, and the median."""
    rows = []
    for model in results.models:
        uars = speaker_uars(results, model, protocol)
        (worst, least), *_, (best, largest) = [*uars.items()] * 2  # one speaker is both
        middle = rate(results.figures[protocol][model]["speakers_median"])
        rows.append([*_named(results, model), count(len(uars)), worst, rate(least), middle, best, rate(largest)])
    return table(["group", "model", "speakers", "worst", "its UAR", "median UAR", "best", "its UAR"], rows, left=2)


def calibration(results: Results, protocol: str) -> str:
    """ECE and NLL before and after temperature scaling, means over the folds."""
    rows = []
    for model in results.models:
        t, *others = (results.figures[protocol][model]["calibration"][key] for key in CALIBRATION)
        rows.append([*_named(results, model), pointed(t, 2), *(pointed(value, 3) for value in others)])
    return table(["group", "model", "temperature", "ECE", "ECE, scaled", "NLL, nats", "NLL, scaled"], rows, left=2)


def noise_curves(results: Results, protocol: str) -> dict[str, dict[tuple[str, float], float]]:
    """UAR in noise of every model that was tested in it: (kind, SNR in dB) -> mean over the folds; clean is ("clean", inf)."""
    given = {model: results.figures[protocol][model]["noise"] for model in results.models}
    return {
        model: {(kind, float(snr)): uar for kind, curve in one.items() for snr, uar in curve.items()} for model, one in given.items() if one
    }


def noise(results: Results, protocol: str) -> str:
    """UAR in noise, mean over the folds; empty if no model was tested in noise."""
    curves = noise_curves(results, protocol)
    points = sorted({point for curve in curves.values() for point in curve}, key=lambda point: (NOISES.index(point[0]), -point[1]))
    header = [kind if np.isinf(snr) else f"{kind}, {snr:g} dB" for kind, snr in points]
    rows = [[*_named(results, model), *(rate(curve.get(point)) for point in points)] for model, curve in curves.items()]
    return table(["group", "model", *header], rows, left=2) if rows else ""


def learning_curves(results: Results) -> list[list[str]]:
    """Models that differ only in the fraction of the training speakers, the smallest first; curves of two points or more."""
    sections, alike = results.params.classifiers, {}
    for model in grouped(results.params, results.params.models):
        alike.setdefault(sections[model].model_dump_json(exclude={"speakers"}), []).append(model)
    curves = [sorted(models, key=lambda model: sections[model].speakers) for models in alike.values()]
    return [curve for curve in curves if sections[curve[0]].speakers < sections[curve[-1]].speakers]


def learning(results: Results, protocol: str) -> str:
    """UAR over the number of training speakers, all folds together; empty if no models differ only in that."""
    rows = []
    for curve in learning_curves(results):
        for model in curve:
            one = results.figures[protocol][model]
            fraction = f"{results.params.classifiers[model].speakers:.0%}"
            speakers = f"{results.costs[protocol][model]['n_train_speakers']:,.1f}".removesuffix(".0")
            uar = [rate(one["uar"]["value"]), interval(results, one["uar"], model)]
            rows.append([*_named(results, model), fraction, speakers, *uar])
    header = ["group", "model", "fraction of the speakers", "training speakers", "UAR", f"UAR, {_interval_title(results)}"]
    return table(header, rows, left=2) if rows else ""


def pairs(results: Results, protocol: str) -> str:
    """Differences of UAR between two models, paired by test speaker, all folds together; empty without a pair."""
    rows = []
    for one in sorted(results.comparisons[protocol].values(), key=lambda one: results.models.index(one["model"])):
        uars = [rate(one["uar"]), rate(one["uar_against"]), gain(one["value"])]
        bounds = interval(results, one, one["model"], gain)
        rows.append([*_named(results, one["model"]), model_cell(results, one["against"]), *uars, bounds, p(one["p"]), p(one["p_holm"])])
    header = ["group", "model", "against", "UAR", "UAR against", "difference"]
    header += [f"difference, {_interval_title(results)}", "p", "p, Holm"]
    return table(header, rows, left=3) if rows else ""


def p(value: float | None) -> str:
    """A p value to three digits, or ``< .001``; a dash for None."""
    return "< .001" if value is not None and value < 0.001 else rate(value)


def sections(results: Results) -> str:
    """Settings of every model: its kind, its main settings, and what it is trained on."""
    header = ["group", "model", "kind", "in particular", "trained on", "training speakers", "epochs, at most"]
    params = results.params
    rows = [[*_named(results, model), *_section_row(params.classifiers[model])] for model in grouped(params, params.models)]
    rows += [[*_named(results, name), "late fusion", _fusion(results, name), DASH, DASH, DASH] for name in params.fusions]
    return table(header, rows, left=5)


def _section_row(section: ClassifierSection) -> list[str]:
    learned = ", ".join(variant.replace("_", " ") for variant in section.variants)
    return [section.model, _particular(section), learned, f"{section.speakers:.0%}", count(getattr(section, "epochs", None))]


def _particular(section: ClassifierSection) -> str:
    """Arm and features of a ``fin_ensemble``; of others the keys of `SHOWN`, initial weights, scaling by speaker; a dash for none."""
    if isinstance(section, FinEnsemble):
        fins = ", ".join(FEATURE_TITLES[name] for name in section.fins) or "none"
        return f"arm {section.arm}; FINs: {fins}; crops of {section.crop_frames} frames"
    values = {key: getattr(section, key) for key in SHOWN if hasattr(section, key)}
    said = [f"{SHOWN[key]} {value}" for key, value in values.items() if value != UNSAID.get(key)]
    kind, name = init_kind(section.init)
    said += [f"initial weights: {'pretrained encoder' if kind == 'pretrained' else 'published'} {code(name)}"] if kind else []
    said += ["inputs scaled by speaker, over all test clips of the speaker"] if getattr(section, "normalise", "") == "speaker" else []
    return "; ".join(said) or DASH


def _fusion(results: Results, name: str) -> str:
    return f"{results.params.fuse_classifiers[name].method} of {', '.join(map(code, results.params.members_of(name)))}"


def weights(results: Results, protocol: str) -> str:
    """Weight of each member of a late fusion, all its seeds together, mean over the folds and range; empty without a fusion."""
    rows = []
    for fusion in results.params.fusions:
        for member in results.params.members_of(fusion):
            one = results.figures[protocol][fusion]["weights"][member]
            rows.append([model_cell(results, fusion), model_cell(results, member), with_range(one["mean"], one["folds"])])
    return table(["fusion", "member", "weight"], rows, left=2) if rows else ""


def layers(results: Results, protocol: str) -> dict[str, Mapping[str, Any]]:
    """What every model on an encoder found about its layers, as :func:`finser.summary.layers.layers_of` gives it; without empty ones."""
    given = {model: results.figures[protocol][model]["layers"] for model in results.models}
    return {model: one for model, one in given.items() if one}


def cost(results: Results, protocol: str) -> str:
    """Parameters and times of every model, means over folds and seeds."""
    header = ["group", "model", *_size_titles(results), "epochs", "seconds per epoch", "training, s"]
    header += ["ms per clip, from samples", "ms per clip, classifier alone", "device"]
    return table(header, [_cost_row(results, model, protocol) for model in results.models], left=2)


def _cost_row(results: Results, model: str, protocol: str) -> list[str]:
    one = results.costs[protocol][model]
    digits = {"seconds_per_epoch": 2, "seconds_train": 1, "ms_from_samples": 2, "ms_per_clip": 2}
    per_epoch, training, *per_clip = (DASH if one[key] is None else seconds(one[key], places) for key, places in digits.items())
    without_epochs = model in results.params.models and not results.params.classifiers[model].by_gradient
    in_epochs = [DASH, DASH] if without_epochs else [_span(one["epochs"]), per_epoch]
    return [
        *_named(results, model),
        *_sizes(results, model, [protocol]),
        *in_epochs,
        training,
        *per_clip,
        ", ".join(one["devices"]) or DASH,
    ]


def fins_on_test_speakers(results: Results, protocol: str) -> list[str]:
    """Numbers of test speakers, fold by fold, that the FINs of a model were trained on; a line per such model."""
    lines = []
    for model in results.models:
        found = [run for run in results.of(model, protocol) if run.figures.get("n_test_speakers_heard_by_fins")]
        folds = [f"fold {run.fold}: {run.figures['n_test_speakers_heard_by_fins']} of {run.figures['n_test_speakers']}" for run in found]
        lines += [f"{model_cell(results, model)}: {'; '.join(folds)} test speakers"] if folds else []
    return lines


def _interval_title(results: Results) -> str:
    return f"{results.params.evaluate_classifier.confidence:.0%} interval"
