"""Training of one classifier on one fold of one protocol, with one seed."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from finser import layout, machine
from finser.classifiers.parts import HISTORY, clips_digest, parts_of, variants
from finser.classifiers.prepare import prepared
from finser.config.fields import init_kind
from finser.config.params import Params
from finser.config.sections.classifiers import ClassifierSection
from finser.errors import FinserError
from finser.features.examples import Examples, check_apart, read_examples
from finser.files import read_json, whole_folder, write_json
from finser.fins.settings import check_settings
from finser.models import Classifier, begin, module_of
from finser.progress import say
from finser.scores.intervals import over_seeds, per_speaker
from finser.splits.table import LEAKY

AGAIN = "run: dvc repro"
LIBRARIES = ("torch", "transformers", "safetensors")  # of the networks


def train_classifier(params: Params, model: str, protocol: str, fold: int, seed: int) -> None:
    """Write models/classifiers/MODEL/PROTOCOL/FOLD/SEED/: weights, config.json, history.csv.

    The model is trained on the train part of its corpora, in the variants that its section names, and validated on originals. A file in
    results/timing/ holds ``seconds_train`` (all epochs and the preparation), ``seconds_per_epoch`` (epochs alone), and ``validation_uar``
    of the weights that are kept. Both durations include epochs before a kill. A hyperparameter search therefore needs no evaluation, and
    computes no test score.
    """
    options = params.classifiers[model]
    initial = prepared(options, model)
    if not options.seeded and seed != _first_seed(params, model, initial):
        _refer(initial["seed"], model, protocol, fold, seed)
        return
    parts = parts_of(params, options, protocol, fold)
    asked, classes = {part: parts[part] for part in ("train", "validation")}, initial["classes"]
    examples = read_examples(module_of(options).reader(options), asked, variants(options), classes)
    check_apart(examples.values(), leaky=LEAKY[protocol])
    classifier = begin(options, (seed, model, protocol, fold), len(classes), layout.initial(model))
    classifier.receive(given_weights(params, model, protocol, fold, parts))
    where = f"{model}, {protocol}, fold {fold}, seed {seed}"
    say(f"{where}: {len(examples['train'])} training rows, {len(examples['validation'])} validation rows")
    checkpoint = layout.checkpoint("train_classifier", model, protocol, str(fold), str(seed))
    if not options.by_gradient:
        record = classifier.solve(examples["train"], examples["validation"])
    else:
        from finser.classifiers.classification import Classification  # imports torch, which an SVM does not need
        from finser.training.loop import fit

        record = fit(Classification(classifier, examples["train"], examples["validation"], (seed, model, protocol, fold)), checkpoint)
        classifier.net.cpu()
    config = {
        **trained_on(parts, examples),
        "begin": initial["weights"],
        "protocol": protocol,
        "fold": fold,
        "seed": seed,
        "params": classifier.n_params,
        "options": options.model_dump(mode="json"),
        "epochs": len(record.history),
        **({"encoder_params": classifier.encoder_params, "found": classifier.found} if options.needs_encoder else {}),
        **settings_of(options),
    }
    uar = validation_uar(classifier, examples["validation"])
    seconds = record.seconds_before + record.seconds
    times = {"seconds_train": round(seconds, 3), "seconds_per_epoch": round(record.seconds / len(record.history), 3)}
    write_json(layout.training_time("train_classifier", model, protocol, fold, seed), {**times, "validation_uar": uar})
    write_classifier(layout.classifier(model, protocol, fold, seed), classifier, config, record.history)
    checkpoint.unlink(missing_ok=True)
    say(f"{where}: {seconds:.1f} s, validation UAR {uar:.3f}")


def _first_seed(params: Params, model: str, initial: dict) -> int:
    """Return the one seed that a model is trained with if its training draws nothing: that of models/initial/MODEL.

    Raises
    ------
    FinserError
        It is not the first seed of params.yaml. A reference to it could then lead to a model that is removed.
    """
    first, found = params.seeds[0], initial.get("seed")
    if found != first:
        where = layout.initial(model) / "config.json"
        raise FinserError("was prepared with another first seed than params.yaml has", where=where, expected=first, found=found, do=AGAIN)
    return first


def _refer(first: int, model: str, protocol: str, fold: int, seed: int) -> None:
    """Write a reference to the first seed: the training of this model is deterministic, so only the first seed is trained."""
    with whole_folder(layout.classifier(model, protocol, fold, seed)) as partial:
        write_json(partial / "config.json", {"model": model, "seed": seed, "same_as_seed": first})
    write_json(layout.training_time("train_classifier", model, protocol, fold, seed), {"same_as_seed": first})
    say(f"{model}, {protocol}, fold {fold}, seed {seed}: training is deterministic; same as seed {first}")


def validation_uar(classifier: Classifier, validation: Examples) -> float:
    """Return the validation UAR of the kept weights, averaged over the corpora, as in the evaluation.

    history.csv has the UAR of all clips together.
    """
    predicted = classifier.probabilities(validation.inputs).argmax(1)  # (n,)
    counts = per_speaker(validation.targets, predicted, np.array(validation.speakers), len(validation.classes))
    return float(over_seeds(counts)["uar"][0])


def given_weights(params: Params, model: str, protocol: str, fold: int, parts: dict[str, pa.Table]) -> Path:
    """Return the folder with the initial weights; for encoders that were pretrained here, that of this fold.

    Raises
    ------
    FinserError
        The encoder of this fold is missing, was pretrained with other settings than those in params.yaml, or (unless the protocol is leaky
        by design) was pretrained on a test speaker.
    """
    kind, trunk = init_kind(params.classifiers[model].init)
    if kind != "pretrained":
        return layout.initial(model)
    folder = layout.initial(model) / protocol / str(fold)
    config = read_json(folder / "config.json")
    check_settings(config, params.settings_of_trunk(trunk), folder, AGAIN)
    heard = sorted(set(config["speakers"]) & set(parts["test"]["speaker"].to_pylist()))
    if heard and not LEAKY[protocol]:
        what = f"its encoder was pretrained on test speakers: {', '.join(heard[:3])} ({len(heard)} in all)"
        raise FinserError(what, where=folder, do="pretrain it again: dvc repro")
    return folder


def trained_on(parts: dict[str, pa.Table], examples: dict[str, Examples]) -> dict:
    """Return what a classifier was trained and validated on: classes, corpora, numbers of clips, speakers."""
    train = examples["train"]
    return {
        "classes": list(train.classes),
        "corpora": sorted(set(parts["train"]["corpus"].to_pylist())),
        "n_train": len(train),
        "n_validation": len(examples["validation"]),
        "clips_per_emotion": {emotion: int((train.targets == number).sum()) for number, emotion in enumerate(train.classes)},
        "train_speakers": sorted(set(train.speakers)),
        "validation_speakers": sorted(set(examples["validation"].speakers)),
        "clips_digest": clips_digest(parts),
    }


def settings_of(options: ClassifierSection) -> dict:
    """Return device, threads and versions of the libraries of a training."""
    if not options.by_gradient:
        return machine.settings(("scikit-learn", "threadpoolctl"), torch=False)
    from finser.training.device import start_torch

    start_torch()
    return machine.settings(LIBRARIES)


def write_classifier(folder: Path, classifier: Classifier, config: dict, history: list[dict]) -> None:
    """Write weights, config.json and history.csv, whole or not at all."""
    with whole_folder(folder) as partial:
        classifier.save(partial)
        (partial / "config.json").write_text(json.dumps(config, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        with (partial / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HISTORY, lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)
