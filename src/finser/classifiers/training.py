"""Training of one classifier on one fold of one protocol."""

import csv
import hashlib
import json
import time
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa

from finser import layout
from finser.classifiers import Classifier, load, module_of
from finser.classifiers.inputs import Examples, read_examples
from finser.emotions import EMOTIONS
from finser.files import whole_folder, write_json
from finser.params import Params
from finser.progress import say
from finser.splits import read_parts

HISTORY = ("epoch", "train_loss", "validation_loss", "validation_uar", "validation_wa")
LIBRARIES = ("torch", "numpy", "scikit-learn", "lightning", "finser")


def train_classifier(params: Params, model: str, protocol: str, fold: int) -> None:
    """Write models/classifiers/MODEL/PROTOCOL/FOLD/: weights, config.json, history.csv.

    Trained on the train part of the corpora in ``train_classifier.data.corpora``, in the variants that the model's section
    names; validated on originals.
    """
    options, corpora = getattr(params.train_classifier, model), params.train_classifier.data.corpora
    parts = read_parts(protocol, fold, corpora)
    variants = {"train": options.variants, "validation": ("original",)}
    examples = read_examples(module_of(model).SOURCE, {part: parts[part] for part in variants}, variants)
    classifier, config = load(layout.initial(model))
    say(f"{model}, {protocol}, fold {fold}: {len(examples['train'])} rows to train on, {len(examples['validation'])} to validate")
    started = time.perf_counter()
    history = classifier.fit(examples["train"], examples["validation"], options, (params.seed, model, protocol, fold))
    seconds = time.perf_counter() - started
    config |= {
        **_trained_on(parts, examples),
        "protocol": protocol,
        "fold": fold,
        "corpora": list(corpora),
        "seed": params.seed,
        "params": classifier.n_params,
        "options": options.model_dump(mode="json"),
        "epochs": len(history),
        "device": _device(model),
        "versions": {library: version(library) for library in LIBRARIES},
    }
    write_json(layout.training_time("train_classifier", model, protocol, fold), {"seconds_train": round(seconds, 3)})
    _write(layout.classifier(model, protocol, fold), classifier, config, history)
    say(f"{model}, {protocol}, fold {fold}: {seconds:.1f} s, validation UAR {history[-1]['validation_uar']:.3f}")


def clips_digest(parts: dict[str, pa.Table]) -> str:
    """SHA-256 of which clips train and which validate: tells a model of another split from one of this."""
    lines = sorted(f"{part} {clip}" for part in ("train", "validation") for clip in parts[part]["clip_id"].to_pylist())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _trained_on(parts: dict[str, pa.Table], examples: dict[str, Examples]) -> dict:
    train = examples["train"]
    return {
        "n_train": len(train),
        "n_validation": len(examples["validation"]),
        "clips_per_emotion": {emotion: int((train.targets == number).sum()) for number, emotion in enumerate(EMOTIONS)},
        "train_speakers": sorted(set(train.speakers)),
        "validation_speakers": sorted(set(examples["validation"].speakers)),
        "clips_digest": clips_digest(parts),
    }


def _device(model: str) -> str:
    if model == "svm":
        return "cpu"
    from finser.classifiers.learning import device

    return device()


def _write(folder: Path, classifier: Classifier, config: dict, history: list[dict]) -> None:
    with whole_folder(folder) as partial:
        classifier.save(partial)
        (partial / "config.json").write_text(json.dumps(config, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        with (partial / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HISTORY, lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)
