"""Evaluation of one classifier, with all its seeds, on the test part of its fold."""

import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from finser import layout
from finser.classifiers.parts import HISTORY, clips_digest, parts_of
from finser.classifiers.prepare import prepared
from finser.config.params import Params
from finser.config.sections.classifiers import ClassifierSection
from finser.errors import FinserError
from finser.evaluation.judged import Judged, calibration_of, figures_of_merit, predictions_table, uar_of
from finser.evaluation.timing import ORIGINALS, ms_from_samples
from finser.features.examples import Examples, by_speaker, check_apart, read_examples
from finser.features.noisy_clips import noisy_clips, read_noisy, variant
from finser.features.rows import Reader
from finser.files import read_json, whole_folder, write_json
from finser.fins import settings
from finser.machine import SETTINGS
from finser.models import Classifier, load, module_of
from finser.progress import say
from finser.splits.table import LEAKY

AGAIN = "train it again: dvc repro"


def evaluate_classifier(params: Params, model: str, protocol: str, fold: int) -> None:
    """Step: write results/classifiers/MODEL/PROTOCOL/FOLD/: metrics.json, predictions.parquet, validation.parquet, history.csv.

    Validation and test clips are originals. Metrics are means over the seeds; temperatures are fitted on the validation part. A file in
    results/timing/ holds ``ms_per_clip``, the time of a classifier on inputs that are stored, and ``ms_from_samples``, the time from the
    samples of a clip to its probabilities (:func:`finser.evaluation.timing.ms_from_samples`) of the first seed's classifier.
    """
    options, seeds = params.classifiers[model], params.seeds_of(model)
    parts = parts_of(params, options, protocol, fold)
    folders = {seed: _trained(layout.classifier(model, protocol, fold, seed)) for seed in seeds}
    loaded = {seed: load(folder) for seed, folder in folders.items()}
    for seed, folder in folders.items():
        check_trained_settings(loaded[seed][1], options, folder)
        check_trained_classes(loaded[seed][1], params.emotions, folder)
        check_trained_apart(loaded[seed][1], parts, protocol, fold, folder)
    prepared(options, model)
    classifiers, configs = (list(column) for column in zip(*loaded.values(), strict=True))
    reader = module_of(options).reader(options)
    asked = {part: parts[part] for part in ("validation", "test")}
    examples = read_examples(reader, asked, dict.fromkeys(asked, ORIGINALS), params.emotions)
    check_apart(examples.values(), leaky=LEAKY[protocol])
    started = time.perf_counter()
    validation, test = (_judge(classifiers, examples[part]) for part in asked)
    clip_ms = 1000 * (time.perf_counter() - started) / len(classifiers) / sum(map(len, examples.values()))
    metrics = {
        **figures_of_merit(test, params.evaluate_classifier.confidence),
        **calibration_of(validation, test),
        "validation_uar": uar_of(validation),  # model selection may use this one
        "noise": noise_curve(params, classifiers[0], reader, test, protocol, fold),
        **_facts(test, configs, folders[seeds[0]]),
        "seeds": list(seeds),
        "protocol": protocol,
        "fold": fold,
        "leaky": LEAKY[protocol],
    }
    times = {
        "ms_per_clip": clip_ms,
        "ms_from_samples": ms_from_samples(classifiers[0], reader, parts["test"], params.emotions, params.label.definition),
    }
    write_json(layout.evaluation_time(model, protocol, fold), {name: round(value, 3) for name, value in times.items()})
    with whole_folder(layout.classifier_result(model, protocol, fold)) as partial:
        write_json(partial / "metrics.json", metrics)
        for name, judged in (("predictions", test), ("validation", validation)):
            pq.write_table(predictions_table(judged, seeds), partial / f"{name}.parquet", compression="zstd")
        _write_history(partial / "history.csv", folders)
    say(f"{model}, {protocol}, fold {fold}: UAR {metrics['uar']:.3f}, WA {metrics['wa']:.3f} on {len(test.examples)} clips")


def _trained(folder: Path) -> Path:
    """Return the folder of the trained classifier; for a model with deterministic training, that of the seed it refers to."""
    config = read_json(folder / "config.json")
    return folder.parent / str(config["same_as_seed"]) if "same_as_seed" in config else folder


def _facts(test: Judged, configs: list[dict], folder: Path) -> dict:
    """Return the numbers of clips and speakers, the classifiers' training settings, and what concerns their encoder, if any."""
    speakers, first = set(test.examples.speakers), configs[0]
    return {
        **{name: first[name] for name in ("n_train", "n_validation")},
        "n_train_speakers": len(first["train_speakers"]),
        "n_test": len(test.examples),
        "n_test_speakers": len(speakers),
        "n_test_speakers_heard_by_fins": len(speakers & _heard_by_fins(folder)),
        **{name: first[name] for name in ("params", "seed", "device")},
        "trained_under": [{name: config[name] for name in SETTINGS} for config in configs],
        "epochs": [config["epochs"] for config in configs],
        **({"encoder_params": first["encoder_params"], "found": [config["found"] for config in configs]} if "found" in first else {}),
    }


def _judge(classifiers: list[Classifier], examples: Examples) -> Judged:
    return Judged(examples, np.stack([classifier.probabilities(examples.inputs) for classifier in classifiers]))


def noise_curve(
    params: Params, classifier: Classifier, reader: Reader, test: Judged, protocol: str, fold: int
) -> dict[str, dict[str, float]]:
    """Return the UAR of a classifier on clean and on noisy test clips: kind -> SNR in dB -> UAR.

    The clips are those that stage `noisy` added noise to.

    Parameters
    ----------
    classifier : Classifier
        Classifier of the first seed.
    test : Judged
        Its probabilities for clean test clips are reused, unless clips are scaled by speaker: then over the same clips as in noise.

    Returns
    -------
    dict
        Empty if no noise is asked for, or if this classifier has none of the noisy clips in its test part.
    """
    asked, examples = params.evaluate_classifier.noise, test.examples
    chosen = set(noisy_clips(protocol, fold)) if asked.kinds else set()
    places = [place for place, clip in enumerate(examples.clip_ids) if clip in chosen]
    if not places:
        return {}
    some = examples.at(places)
    clean = _judge([classifier], by_speaker(some)) if reader.by_speaker else Judged(some, test.probabilities[:1, places])
    result = {"clean": {"inf": uar_of(clean)}}
    for kind in asked.kinds:
        result[kind] = {}
        for snr in asked.snr_db:
            inputs = read_noisy(reader, protocol, fold, variant(kind, snr), some.clip_ids)
            noisy = replace(some, inputs=[inputs[clip] for clip in some.clip_ids])
            noisy = by_speaker(noisy) if reader.by_speaker else noisy
            result[kind][f"{snr:g}"] = uar_of(_judge([classifier], noisy))
    return result


def check_trained_settings(config: dict, options: ClassifierSection, where: Path) -> None:
    """Raise :class:`FinserError` if a model's settings differ from its section in params.yaml: its inputs may differ, too."""
    settings.check_settings(config, options.model_dump(mode="json"), where, AGAIN)


def check_trained_classes(config: dict, emotions: tuple[str, ...], where: Path) -> None:
    """Raise :class:`FinserError` if a model has other classes than params.yaml, or has them in another order."""
    if config["classes"] != list(emotions):
        found = ", ".join(map(str, config["classes"]))
        raise FinserError("trained on other emotions", where=where, expected=", ".join(emotions), found=found, do=AGAIN)


def check_trained_apart(config: dict, parts: dict[str, pa.Table], protocol: str, fold: int, where: Path) -> None:
    """Raise an error if a model may have been trained on its test data.

    Raises
    ------
    FinserError
        The model was trained under another protocol, fold or split than `parts`, or (unless the protocol is leaky by design) on a test
        speaker.
    """
    found = (config.get("protocol"), config.get("fold"))
    if found != (protocol, fold):
        raise FinserError("trained on another fold", where=where, expected=f"{protocol} {fold}", found=f"{found[0]} {found[1]}", do=AGAIN)
    known = set(config["train_speakers"]) | set(config["validation_speakers"])
    heard = sorted(known & set(parts["test"]["speaker"].to_pylist()))
    if heard and not LEAKY[protocol]:
        raise FinserError(f"was trained on test speakers: {', '.join(heard[:3])} ({len(heard)} in all)", where=where, do=AGAIN)
    if config["clips_digest"] != clips_digest(parts):
        raise FinserError("was trained on other clips than this split's", where=where, do=AGAIN)


def _write_history(path: Path, folders: dict[int, Path]) -> None:
    """Write the training curves of all seeds to one table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, (*HISTORY, "seed"), lineterminator="\n")
        writer.writeheader()
        for seed, folder in folders.items():
            with (folder / "history.csv").open(newline="", encoding="utf-8") as history:
                writer.writerows({**row, "seed": seed} for row in csv.DictReader(history))


def _heard_by_fins(folder: Path) -> set[str]:
    """Return the training and validation speakers of a model's FINs; an empty set if it has none."""
    return {speaker for config in sorted(folder.glob("fins/*/config.json")) for speaker in read_json(config)["speakers"]}
