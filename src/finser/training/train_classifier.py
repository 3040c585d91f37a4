"""Training of one classifier on one fold of one protocol, with one seed."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from finser import layout, machine
from finser.config.fields import init_kind
from finser.config.params import Params
from finser.config.sections.classifiers import Classifier as Options
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.features.inputs import Examples, check_apart, read_examples
from finser.files import read_json, whole_folder, write_json
from finser.fins.settings import check_settings
from finser.models import Classifier, begin, module_of
from finser.progress import say
from finser.scores.intervals import over_seeds, per_speaker
from finser.splits.table import LEAKY, ROLES, fewer_speakers, read_parts

HISTORY = ("epoch", "train_loss", "validation_loss", "validation_uar", "validation_wa")
LIBRARIES = ("torch", "lightning", "transformers", "safetensors")  # of the networks


def train_classifier(params: Params, model: str, protocol: str, fold: int, seed: int) -> None:
    """Write models/classifiers/MODEL/PROTOCOL/FOLD/SEED/: weights, config.json, history.csv.

    Trained on the train part of its corpora, in the variants that the model's section names; validated on originals.
    Beside it results/timing/ gets ``seconds_train``, of all epochs and of what is computed once before them, ``seconds_per_epoch``,
    of the epochs alone (both count what was done before a kill), and ``validation_uar`` of the weights that were kept: a search for
    hyperparameters needs no evaluation, and so computes no test figure.
    """
    options = params.classifiers[model]
    parts = parts_of(params, options, protocol, fold)
    examples = read_examples(module_of(options).source(options), {part: parts[part] for part in ("train", "validation")}, variants(options))
    check_apart(examples.values(), leaky=LEAKY[protocol])
    classifier = begin(options, (seed, model, protocol, fold))
    classifier.receive(_given(params, model, protocol, fold, parts))
    where = f"{model}, {protocol}, fold {fold}, seed {seed}"
    begun = _prepared(options, model)["weights"]
    say(f"{where}: {len(examples['train'])} rows to train on, {len(examples['validation'])} to validate")
    checkpoint = layout.checkpoint("train_classifier", model, protocol, str(fold), str(seed))
    history, seconds, once = classifier.fit(examples["train"], examples["validation"], (seed, model, protocol, fold), checkpoint)
    config = {
        **_trained_on(parts, examples),
        "begin": begun,
        "protocol": protocol,
        "fold": fold,
        "seed": seed,
        "params": classifier.n_params,
        "options": options.model_dump(mode="json"),
        "epochs": len(history),
        **_settings(options),
    }
    uar = validation_uar(classifier, examples["validation"])
    times = {"seconds_train": round(once + seconds, 3), "seconds_per_epoch": round(seconds / len(history), 3)}
    write_json(layout.training_time("train_classifier", model, protocol, fold, seed), {**times, "validation_uar": uar})
    _write(layout.classifier(model, protocol, fold, seed), classifier, config, history)
    checkpoint.unlink(missing_ok=True)
    say(f"{where}: {once + seconds:.1f} s, validation UAR {uar:.3f}")


def validation_uar(classifier: Classifier, validation: Examples) -> float:
    """UAR of the weights that are kept, mean over the corpora, as evaluation gives it; that in history.csv is of all clips together."""
    predicted = classifier.probabilities(validation.inputs).argmax(1)  # (n,)
    counts = per_speaker(validation.targets, predicted, np.array(validation.speakers), len(EMOTIONS))
    return float(over_seeds(counts)["uar"][0])


def parts_of(params: Params, options: Options, protocol: str, fold: int) -> dict[str, pa.Table]:
    """Rows of the split by role: of the corpora that the classifier learns from, and of its share of the training speakers."""
    parts = read_parts(protocol, fold, options.corpora or params.pooled)
    return {**parts, "train": fewer_speakers(parts["train"], options.speakers, params.seed, fold)}


def variants(options: Options) -> dict[str, tuple[str, ...]]:
    """Which rows of a clip each part may hold: augmented ones train only."""
    return {"train": options.variants, "validation": ("original",)}


def clips_digest(parts: dict[str, pa.Table]) -> str:
    """SHA-256 of which clips train, validate and test: tells a model of another split from one of this."""
    lines = sorted(f"{part} {clip}" for part in ROLES for clip in parts[part]["clip_id"].to_pylist())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _prepared(options: Options, model: str) -> dict:
    """config.json of models/initial/MODEL, which must have been made with the options of params.yaml."""
    config, now = read_json(layout.initial(model) / "config.json"), options.model_dump(mode="json")
    check_settings(config, now, layout.initial(model), "run: dvc repro", "prepared")
    return config


def _given(params: Params, model: str, protocol: str, fold: int, parts: dict[str, pa.Table]) -> Path:
    """The folder with the initial weights; of pretrained encoders, that of this fold.

    Raises
    ------
    FinserError
        There is no encoder of this fold, it was pretrained with other settings than params.yaml has, or (unless the protocol is leaky
        by design) on a test speaker.
    """
    kind, trunk = init_kind(params.classifiers[model].init)
    if kind != "pretrained":
        return layout.initial(model)
    folder = layout.initial(model) / protocol / str(fold)
    config = read_json(folder / "config.json")
    check_settings(config, params.settings_of_trunk(trunk), folder, "run: dvc repro")
    heard = sorted(set(config["speakers"]) & set(parts["test"]["speaker"].to_pylist()))
    if heard and not LEAKY[protocol]:
        what = f"its encoder was pretrained on test speakers: {', '.join(heard[:3])} ({len(heard)} in all)"
        raise FinserError(what, where=folder, do="pretrain it again: dvc repro")
    return folder


def _trained_on(parts: dict[str, pa.Table], examples: dict[str, Examples]) -> dict:
    train = examples["train"]
    return {
        "classes": list(EMOTIONS),
        "corpora": sorted(set(parts["train"]["corpus"].to_pylist())),
        "n_train": len(train),
        "n_validation": len(examples["validation"]),
        "clips_per_emotion": {emotion: int((train.targets == number).sum()) for number, emotion in enumerate(EMOTIONS)},
        "train_speakers": sorted(set(train.speakers)),
        "validation_speakers": sorted(set(examples["validation"].speakers)),
        "clips_digest": clips_digest(parts),
    }


def _settings(options: Options) -> dict:
    if options.model == "svm":
        return machine.settings(("scikit-learn", "threadpoolctl"), torch=False)
    from finser.training.learning import device

    device()
    return machine.settings(LIBRARIES)


def _write(folder: Path, classifier: Classifier, config: dict, history: list[dict]) -> None:
    with whole_folder(folder) as partial:
        classifier.save(partial)
        (partial / "config.json").write_text(json.dumps(config, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        with (partial / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HISTORY, lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)
