"""Evaluation of one classifier on the test part of its fold."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from finser import layout, metrics, seeds
from finser.classifiers import load, module_of
from finser.classifiers.inputs import Examples, read_examples
from finser.classifiers.training import clips_digest
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.files import read_json, whole_folder, write_json
from finser.params import EvaluateClassifier, Params
from finser.progress import say
from finser.splits import LEAKY, read_parts

AGAIN = "train it again: dvc repro"


def evaluate_classifier(params: Params, model: str, protocol: str, fold: int) -> None:
    """Write results/classifiers/MODEL/PROTOCOL/FOLD/: metrics.json, predictions.parquet, history.csv. Test clips are originals."""
    source = layout.classifier(model, protocol, fold)
    parts = read_parts(protocol, fold, params.train_classifier.data.corpora)
    classifier, config = load(source)
    check_trained_apart(config, parts, protocol, fold, source)
    test = read_examples(module_of(model).SOURCE, {"test": parts["test"]}, {"test": ("original",)})["test"]
    probabilities = classifier.probabilities(test.inputs)
    rng = seeds.generator(params.seed, "bootstrap", model, protocol, fold)
    figures = {
        **figures_of_merit(test, probabilities.argmax(1), params.evaluate_classifier, rng),
        **{name: config[name] for name in ("n_train", "n_validation")},
        "n_test": len(test),
        "n_test_speakers": len(set(test.speakers)),
        "n_test_speakers_heard_by_fins": len(set(test.speakers) & _heard_by_fins(layout.classifier(model, protocol, fold))),
        **{name: config[name] for name in ("params", "seed", "epochs", "device")},
        "protocol": protocol,
        "fold": fold,
        "leaky": LEAKY[protocol],
    }
    with whole_folder(layout.classifier_result(model, protocol, fold)) as partial:
        write_json(partial / "metrics.json", figures)
        pq.write_table(predictions_table(test, probabilities), partial / "predictions.parquet", compression="zstd")
        shutil.copyfile(source / "history.csv", partial / "history.csv")
    say(f"{model}, {protocol}, fold {fold}: UAR {figures['uar']:.3f}, WA {figures['wa']:.3f} on {len(test)} clips")


def figures_of_merit(
    test: Examples, predicted: np.ndarray, options: EvaluateClassifier, rng: np.random.Generator
) -> dict[str, float | None]:
    """UAR, WA and macro-F1 with the bounds of their intervals; bounds are None with a single test speaker.

    Parameters
    ----------
    predicted : np.ndarray
        Class numbers, shape (n,).
    """
    confusion = metrics.confusion_matrix(test.targets, predicted, len(EMOTIONS))
    intervals = metrics.bootstrap(
        test.targets,
        predicted,
        np.array(test.speakers),
        len(EMOTIONS),
        resamplings=options.bootstrap,
        confidence=options.confidence,
        rng=rng,
    )
    result: dict[str, float | None] = {name: float(figure(confusion)) for name, figure in metrics.FIGURES.items()}
    for name, interval in intervals.items():
        result[f"{name}_ci_low"], result[f"{name}_ci_high"] = interval or (None, None)
    return result


def predictions_table(test: Examples, probabilities: np.ndarray) -> pa.Table:
    """One row per clip, sorted by clip_id: clip_id, speaker, emotion, predicted, p_EMOTION for each class."""
    columns = {
        "clip_id": test.clip_ids,
        "speaker": test.speakers,
        "emotion": [EMOTIONS[target] for target in test.targets],
        "predicted": [EMOTIONS[best] for best in probabilities.argmax(1)],
        **{f"p_{emotion}": probabilities[:, number] for number, emotion in enumerate(EMOTIONS)},
    }
    return pa.table(columns).sort_by("clip_id")


def check_trained_apart(config: dict, parts: dict[str, pa.Table], protocol: str, fold: int, where: Path) -> None:
    """Refuse a model that may have heard what it is tested on.

    Raises
    ------
    FinserError
        It was trained under another protocol, fold or split than `parts`, or (but under `random`) on a test speaker.
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


def _heard_by_fins(folder: Path) -> set[str]:
    """Speakers whose frames taught the FINs of a model, or chose among their states; none if it has no FINs."""
    return {speaker for config in sorted(folder.glob("fins/*/config.json")) for speaker in read_json(config)["speakers"]}
