"""Training of a classifier on all speakers, to keep it: `finser bundle` makes it usable on recordings."""

import csv
from pathlib import Path
from statistics import fmean

import pyarrow as pa

from finser import layout
from finser.classifiers.parts import HISTORY, clips_digest, variants
from finser.classifiers.prepare import prepared
from finser.classifiers.train_classifier import given_weights, settings_of, write_classifier
from finser.config.params import Params
from finser.config.sections.classifiers import ClassifierSection, EncoderProbe
from finser.features.examples import read_examples
from finser.files import read_json, write_json
from finser.models import begin, module_of
from finser.progress import say
from finser.splits.table import read_parts


def train_final(params: Params, model: str) -> None:
    """Step: write models/final/MODEL/: weights, config.json, history.csv.

    The classifier is trained on all speakers of its corpora, with the first seed, for the mean number of epochs whose weights
    cross-validation kept, or with the layer and C that had the best mean validation UAR. No clip is left to validate or to test on: the
    scores of the model are those of cross-validation. If it starts from an encoder that was pretrained here, that is the encoder of the
    first fold.

    Raises
    ------
    FinserError
        No protocol keeps speakers apart, or a fold is not trained yet.
    """
    options, protocol, seed = params.classifiers[model], params.main_protocol, params.seeds[0]
    initial = prepared(options, model)
    options = settled(params, model, protocol)
    epochs = getattr(options, "epochs", 1)
    rows = all_rows(params, options, protocol)
    classes = initial["classes"]
    train = read_examples(module_of(options).reader(options), {"train": rows}, variants(options), classes)["train"]
    names = (seed, model, "final")
    classifier = begin(options, names, len(classes), layout.initial(model))
    parts = {"train": rows, "validation": rows.slice(0, 0), "test": rows.slice(0, 0)}
    classifier.receive(given_weights(params, model, protocol, params.folds[0], parts))
    say(f"{model}, all speakers: {len(train)} training rows, {epochs} epochs")
    checkpoint = layout.checkpoint("train_final", model)
    if not options.by_gradient:
        record = classifier.solve(train, train.at([]))
    else:
        from finser.classifiers.classification import Classification  # imports torch, which an SVM does not need
        from finser.training.loop import fit

        record = fit(Classification(classifier, train, train.at([]), names), checkpoint)
        classifier.net.cpu()
    config = {
        "classes": list(classes),
        "corpora": sorted(set(rows["corpus"].to_pylist())),
        "n_train": len(train),
        "train_speakers": sorted(set(train.speakers)),
        "clips_digest": clips_digest(parts),
        "begin": initial["weights"],
        "epochs_of": protocol,
        "seed": seed,
        "params": classifier.n_params,
        "options": options.model_dump(mode="json"),
        "epochs": epochs,
        **({"encoder_params": classifier.encoder_params, "found": classifier.found} if options.needs_encoder else {}),
        **settings_of(options),
    }
    write_json(layout.training_time("train_final", model), {"seconds_train": round(record.seconds_before + record.seconds, 3)})
    write_classifier(layout.final(model), classifier, config, [{name: row.get(name) for name in HISTORY} for row in record.history])
    checkpoint.unlink(missing_ok=True)


def settled(params: Params, model: str, protocol: str) -> ClassifierSection:
    """Return the options of a classifier with what cross-validation chose: the number of epochs, or the layer and C of a probe."""
    options = params.classifiers[model]
    if not isinstance(options, EncoderProbe):
        return as_trained(options, {"epochs": cross_validated_epochs(params, model, protocol)})
    found: dict[tuple[int, float], list[float]] = {}
    for fold in params.folds:
        config = read_json(layout.classifier(model, protocol, fold, params.seeds[0]) / "config.json")
        for one in config["found"]["tried"]:
            found.setdefault((one["layer"], one["c"]), []).append(one.get("validation_uar", 0.0))
    layer, c = max(found, key=lambda candidate: fmean(found[candidate]))  # of equal ones the first
    return as_trained(options, {"layer": "all" if layer < 0 else layer, "c": (c,)})


def as_trained(options: ClassifierSection, trained: dict) -> ClassifierSection:
    """Return options with what the training of a final model settles: `trained` has its ``epochs``, or its ``layer`` and ``c``.

    A layer or C that these options do not try is not taken from `trained`, so that a comparison with it fails.
    """
    if isinstance(options, EncoderProbe):
        tried = options.layer in ("best", trained["layer"]) and set(trained["c"] or ()) <= set(options.penalties)
        return options.model_copy(update={"layer": trained["layer"], "c": tuple(trained["c"] or options.penalties)} if tried else {})
    return with_epochs(options, trained.get("epochs", 1))


def cross_validated_epochs(params: Params, model: str, protocol: str) -> int:
    """Return the mean number of epochs whose weights were kept, over folds and seeds, rounded.

    Under ``keep: best`` these are the epochs up to the one with the best validation UAR.
    """
    folders = [layout.classifier(model, protocol, fold, seed) for fold in params.folds for seed in params.seeds_of(model)]
    found = [_kept(folder, getattr(params.classifiers[model], "keep", "last")) for folder in folders]
    return max(1, round(sum(found) / len(found)))


def _kept(folder: Path, keep: str) -> int:
    """Return the epoch whose weights a training kept."""
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    best = max(history, key=lambda row: float(row["validation_uar"]))  # of equal ones the first, as in training
    return int((best if keep == "best" else history[-1])["epoch"])


def with_epochs(options: ClassifierSection, epochs: int) -> ClassifierSection:
    """Return the options of a training of so many epochs, which no validation ends or chooses."""
    return options.model_copy(update={"epochs": epochs, "patience": 0, "keep": "last"}) if options.by_gradient else options


def all_rows(params: Params, options: ClassifierSection, protocol: str) -> pa.Table:
    """Return a row for each clip that is in a part of any fold, sorted by clip_id."""
    corpora = options.corpora or params.pooled
    tables = [part for fold in params.folds for part in read_parts(protocol, fold, corpora).values()]
    rows = {row["clip_id"]: row for row in pa.concat_tables(tables).to_pylist()}
    return pa.Table.from_pylist([rows[clip] for clip in sorted(rows)], tables[0].schema)
