"""`finser bundle`: make a bundle of a project's trained classifiers, with its model card."""

import json
import shutil
from collections.abc import Collection, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finser import layout
from finser.audio.frames import DIMENSIONS, SR
from finser.audio.shards import Only, read_aligned
from finser.classifiers.parts import parts_of
from finser.classifiers.train_final import all_rows, as_trained
from finser.config.params import Params
from finser.config.reading import read
from finser.config.sections.classifiers import EncoderSection
from finser.config.sections.features import OPEN_SMILE
from finser.corpora.clips import usable
from finser.corpora.provenance import provenance
from finser.emotions import numbers
from finser.errors import FinserError, nearest
from finser.evaluation.evaluate_classifier import check_trained_classes, check_trained_settings
from finser.files import read_json, whole_folder, write_json
from finser.models.encoder_inputs import check_same_encoder
from finser.predict.bundle import CONFIG, ENCODERS, Bundle, Member, Onnx, Point, TrainedOn
from finser.predict.traits import FEATURES, ranges, traits
from finser.progress import track
from finser.scores import calibration
from finser.scores.predictions import check_classes, probability_columns
from finser.tools.earlier import earlier, heard_by_fins
from finser.tools.model_card import model_card
from finser.tools.other_corpora import rows_of, scores_on_others

UNSURE = 0.2  # fraction of the out-of-fold predictions below the default threshold
COMPARED = 200  # clips on which ONNX is compared with torch
THRESHOLDS = [number / 20 for number in range(20)]
KEPT = ("classes", "options", "epochs", "seed", "params", "corpora", "n_train")  # of a classifier's config.json; speakers' names stay here
AGAIN = "run: dvc repro"
TESTED = "run: dvc repro evaluate_classifier train_final, then: dvc repro --single-item fuse_classifiers summarise"
Graphs = Literal["none", "features", "all"]
LOCK = Path("dvc.lock")


def bundle(
    params: Params, name: str, target: Path, *, folds: bool = False, onnx: Graphs = "none", int8: bool = False, remark: str = ""
) -> Bundle:
    """Write a bundle, whole or not at all.

    Parameters
    ----------
    params : Params
        The project's parameters.
    name : str
        A classifier or a late fusion of params.yaml.
    target : Path
        The folder to write, which must not exist.
    folds : bool
        Take the classifiers of all folds and seeds of cross-validation as members, instead of the one that is trained on all speakers.
    onnx : {"none", "features", "all"}
        ONNX graphs to write: none, features.onnx, or model.onnx, too. They are compared with torch on up to 200 training clips.
    int8 : bool
        Whether their weights have 8 bits.
    remark : str
        What the card says below the scores, such as how a setting was chosen.

    Raises
    ------
    FinserError
        There is no such classifier, it is not trained or tested yet, it cannot be written as ONNX, or the folder exists.
    """
    if name not in params.tested:
        raise FinserError(f"'{name}' is neither in models nor in fusions", where="params.yaml", do=nearest(name, params.tested))
    protocol = params.main_protocol
    if protocol is None:
        raise FinserError("no protocol keeps speakers apart", where="params.yaml, protocols", expected="speaker or own", do="add speaker")
    if target.exists():
        raise FinserError("exists already", where=target, do="delete it, or name another folder")
    if onnx != "none":
        check_onnx_installed()
    check_made_as_stated(params)
    encoders = _encoders(params, name)
    folders = dict(_members(params, name, protocol, folds=folds))
    trained = clips_of(params, name, protocol, folds=folds)
    made = _described(params, name, protocol, tuple(member for member, _ in folders.values()), trained, folds=folds)
    with whole_folder(target) as partial:
        for member, folder in folders.values():
            _copy(folder, partial / member.folder)
        for encoder in encoders:
            _copy_encoder(encoder, partial)
        if onnx != "none":
            made = made.model_copy(update={"onnx": _exported(made, partial, trained, with_waveform=onnx == "all", int8=int8)})
        made = made.model_copy(update={"others": tuple(scores_on_others(params, made, partial))})
        made = made.model_copy(update={"remark": " ".join(remark.split())})
        if int8:
            _check_others(params, made, partial)
        write_json(partial / CONFIG, made.model_dump(mode="json"))
        (partial / "README.md").write_text(model_card(made), encoding="utf-8")
    return made


def check_onnx_installed() -> None:
    """Raise an error if a package that writes ONNX is missing."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise FinserError(f"{' and '.join(missing)} not installed", do="pip install 'finser[onnx]', or leave out --onnx")


def _described(params: Params, name: str, protocol: str, members: tuple[Member, ...], trained: Collection[str], *, folds: bool) -> Bundle:
    """Return config.json: temperature, thresholds, training data and scores."""
    truth, probabilities = out_of_fold(params, name, protocol)
    temperature = calibration.temperature_of(probabilities, truth)
    confident = calibration.rescale(probabilities, temperature)
    threshold = float(np.floor(100 * np.quantile(confident.max(1), UNSURE)) / 100)
    return Bundle(
        finser=version("finser"),
        name=name,
        classes=params.emotions,
        sr=SR,
        quality=params.resample.quality,
        definition=params.label.definition,
        kind="fusion" if name in params.fusions else "folds" if folds else "single",
        members=members,
        earlier=earlier(params, _models(params, name)),
        heard_by_fins=heard_by_fins(params, name, protocol),
        temperature=temperature,
        threshold=threshold,
        points=tuple(points(confident, truth, threshold)),
        protocol=protocol,
        folds=params.folds,
        n_tested=len(truth),
        **_training(params, trained),
        scores=_scores(name, protocol),
        confidence=params.evaluate_classifier.confidence,
        extras=("opensmile",) if any(read in OPEN_SMILE for one in _models(params, name) for read in params.classifiers[one].reads) else (),
    )


def _exported(made: Bundle, folder: Path, trained: Collection[str], **options: bool) -> Onnx:
    """Write the ONNX graphs of a bundle; they are compared with torch on training clips, evenly spaced in the order of their names."""
    from finser.tools.onnx.export import export

    places = np.linspace(0, len(trained) - 1, min(len(trained), COMPARED)).round().astype(int)
    chosen = [sorted(trained)[place] for place in places]
    corpora = sorted({clip.split("/")[0] for clip in chosen})
    rows = [row for corpus in corpora for row in rows_of(corpus, chosen, made.definition, tuple(DIMENSIONS))]
    emotions = {clip: emotion for corpus in corpora for clip, emotion in _emotions_of(corpus)}
    truth = numbers([emotions[row.clip_id] for row in rows], made.classes, "the training clips", AGAIN)
    return export(folder, made, rows, np.array(truth), **options)


def _check_others(params: Params, made: Bundle, folder: Path) -> None:
    """Raise an error if 8-bit weights have a lower UAR than torch on a corpus that no member was trained on."""
    from finser.tools.onnx.export import check_uar

    for ours, torchs in zip(made.others, scores_on_others(params, made, folder, "torch"), strict=True):
        check_uar(ours.uar["value"], torchs.uar["value"], ours.title)


def _emotions_of(corpus: str) -> Iterator[tuple[str, str]]:
    clips = usable(corpus)
    return zip(clips["clip_id"].to_pylist(), clips["emotion"].to_pylist(), strict=True)


def _members(params: Params, name: str, protocol: str, *, folds: bool) -> Iterator[tuple[str, tuple[Member, Path]]]:
    """Yield the members, with the folders of their classifiers."""
    fused = name in params.fusions
    for model, weight in _weights(params, name, protocol).items():
        places = _places(params, model, protocol) if folds else {model: layout.final(model)}
        temperature = _temperature(params, model, protocol) if fused else 1.0
        for place, folder in places.items():
            if not (folder / "config.json").is_file():
                do = AGAIN if folds else f"add {model} to `final` in params.yaml, and run: dvc repro train_final"
                raise FinserError("is not trained", where=folder, do=do)
            _check(params, model, folder, final=not folds)
            yield place, (Member(folder=f"members/{place}", weight=weight / len(places), temperature=temperature), folder)


def _check(params: Params, model: str, folder: Path, *, final: bool) -> None:
    """Raise an error if a classifier was trained with other settings than those of params.yaml."""
    config = read_json(folder / "config.json")
    options = params.classifiers[model]
    check_trained_settings(config, as_trained(options, config["options"]) if final else options, folder)
    if isinstance(options, EncoderSection):
        check_same_encoder(folder, layout.weights(options.reads[0]))
    check_trained_classes(config, params.emotions, folder)


def check_made_as_stated(params: Params) -> None:
    """Raise an error if DVC recorded other settings of `resample` or `label` than those of params.yaml for a corpus."""
    recorded = read(LOCK).get("stages", {}) if LOCK.exists() else {}
    for corpus in params.corpora:
        for stage in ("resample", "label"):
            found = recorded.get(f"{stage}@{corpus}", {}).get("params", {}).get("params.yaml", {}).get(stage)
            now = getattr(params, stage)
            if found is not None and type(now).model_validate_json(json.dumps(found)) != now:
                raise FinserError(f"{corpus} was made with other settings of `{stage}` than params.yaml has", where=LOCK, do=AGAIN)


def _places(params: Params, model: str, protocol: str) -> dict[str, Path]:
    """Return the classifiers of all folds and seeds of a model, by a name."""
    return {
        f"{model}-{fold}-{seed}": layout.classifier(model, protocol, fold, seed) for fold in params.folds for seed in params.seeds_of(model)
    }


def _weights(params: Params, name: str, protocol: str) -> dict[str, float]:
    """Return the weight of each model: 1 for a classifier; in a fusion the sum over its seeds, averaged over the folds."""
    if name not in params.fusions:
        return {name: 1.0}
    found: dict[str, float] = dict.fromkeys(params.members_of(name), 0.0)
    for fold in params.folds:
        for member, weight in read_json(layout.fusion_result(name, protocol, fold) / "metrics.json")["weights"].items():
            found[member.split(" ")[0]] += weight / len(params.folds)
    return {model: weight for model, weight in found.items() if weight > 0}


def _temperature(params: Params, model: str, protocol: str) -> float:
    """Return the geometric mean of the temperatures of a fusion's member, over folds and seeds."""
    folders = (layout.classifier_result(model, protocol, fold) for fold in params.folds)
    found = [t for folder in folders for t in read_json(folder / "metrics.json")["temperature_seeds"]]
    return float(np.exp(np.mean(np.log(found))))


def out_of_fold(params: Params, name: str, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """Return true classes (n,) and probabilities (n, classes) of all test clips of all folds and seeds."""
    folder = layout.fusion_result if name in params.fusions else layout.classifier_result
    columns, tables = probability_columns(params.emotions), []
    for fold in params.folds:
        path = folder(name, protocol, fold) / "predictions.parquet"
        if not path.is_file():
            raise FinserError("no such file", where=path, do=TESTED)
        check_classes(path, params.emotions, AGAIN)
        tables.append(pq.read_table(path, columns=["emotion", *columns]))
    table = pa.concat_tables(tables)
    truth = numbers(table["emotion"].to_pylist(), params.emotions, "the predictions", AGAIN)
    return np.array(truth), np.stack([table[column].to_numpy() for column in columns], axis=1)


def points(probabilities: np.ndarray, truth: np.ndarray, own: float) -> Iterator[Point]:
    """Yield coverage and accuracy for thresholds from 0 to .95, and for the bundle's own, as long as a prediction reaches them."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    for threshold in sorted({*THRESHOLDS, own}):
        sure = confidence >= threshold
        if sure.any():
            yield Point(threshold=threshold, coverage=round(float(sure.mean()), 4), accuracy=round(float(right[sure].mean()), 4))


def clips_of(params: Params, name: str, protocol: str, *, folds: bool) -> set[str]:
    """Return the clips that the members were trained on: all, or those of the training part of a fold."""
    found: set[str] = set()
    for model in _models(params, name):
        options = params.classifiers[model]
        parts = (
            [parts_of(params, options, protocol, fold)["train"] for fold in params.folds]
            if folds
            else [all_rows(params, options, protocol)]
        )
        found |= {clip for part in parts for clip in part["clip_id"].to_pylist()}
    return found


def _models(params: Params, name: str) -> tuple[str, ...]:
    """Return the classifiers of a late fusion, or the classifier itself."""
    return tuple(params.members_of(name)) if name in params.fusions else (name,)


def _training(params: Params, trained: Collection[str]) -> dict:
    """Return the corpora of the clips that were trained on, and the ranges of these clips' traits."""
    corpora, found = [], []
    for corpus in sorted({clip.split("/")[0] for clip in trained}):
        clips = usable(corpus)
        clips = clips.filter(pc.is_in(clips["clip_id"], pa.array(sorted(trained))))
        said = provenance(params.fetch[corpus], corpus)
        facts = {key: said[key] for key in ("title", "licence", "source")}
        corpora.append(TrainedOn(name=corpus, **facts, clips=clips.num_rows, speakers=pc.count_distinct(clips["speaker"]).as_py()))
        only = Only(clips["clip_id"].to_pylist(), ["original"])
        rows = track(read_aligned(layout.shards(corpus), layout.labels(corpus), FEATURES, only), f"traits of {corpus}", clips.num_rows)
        found += [traits(label.features, audio.audio) for audio, label in rows]
    return {"corpora": tuple(corpora), "ranges": ranges(found)}


def _scores(name: str, protocol: str) -> dict:
    """Return the scores of all folds together that the card and users need."""
    if not layout.summary().is_file():
        raise FinserError("no such file", where=layout.summary(), do=TESTED)
    figures = read_json(layout.summary())[protocol][name]
    return {key: figures[key] for key in ("uar", "wa", "f1_macro", "classes", "corpora", "calibration", "n_test", "n_test_speakers")}


def _encoders(params: Params, name: str) -> list[str]:
    """Return the encoders whose statistics the members read.

    Raises
    ------
    FinserError
        A member is normalised by speaker.
    """
    options = {model: params.classifiers[model] for model in _models(params, name)}
    for model, section in options.items():
        if getattr(section, "normalise", "train") == "speaker":
            what = f"{model} scales the clips of each speaker together, and a bundle predicts one clip at a time"
            raise FinserError(what, where="params.yaml", expected="normalise: train", found="normalise: speaker")
    return sorted({encoder for section in options.values() if isinstance(section, EncoderSection) for encoder in section.reads})


def _copy_encoder(name: str, target: Path) -> None:
    """Copy the published weights of an encoder, which may be large."""
    folder = target / ENCODERS / name
    folder.mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        try:
            shutil.copyfile(layout.weights(name) / file, folder / file)
        except FileNotFoundError:
            raise FinserError("no such file", where=layout.weights(name) / file, do="run: dvc repro fetch_weights") from None


def _copy(folder: Path, target: Path) -> None:
    """Copy a trained classifier without the names of its speakers, which may be those of people."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("history.csv", ".*"))
    for path in target.rglob("config.json"):
        config = read_json(path)
        kept = {key: config[key] for key in KEPT if key in config} if path.parent == target else {**config, "speakers": []}
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def said(made: Bundle, target: Path, asked: Graphs = "none") -> Iterator[str]:
    """Yield what `finser bundle` prints."""
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    uar = made.scores["uar"]
    yield f"{target}: {made.name}, {len(made.members)} member{'s' * (len(made.members) > 1)}, {size / 1e6:.2f} MB"
    interval = "" if uar["low"] is None else f" ({made.confidence:.0%} interval {uar['low']:.3f} to {uar['high']:.3f})"
    yield f"UAR of cross-validation by speaker: {uar['value']:.3f}{interval}, on {made.scores['n_test']:,} clips"
    speakers = sum(corpus.speakers for corpus in made.corpora)
    if made.scores["n_test_speakers"] < speakers:
        folds = ", ".join(map(str, made.folds))
        yield f"note: the scores are those of {made.scores['n_test_speakers']} of {speakers} speakers: the test speakers of folds {folds}"
    if missing := [name for name in made.classes if name not in made.tested_classes]:
        yield f"note: no clip of {', '.join(missing)} was tested; to leave a class out, take it out of `emotions` in params.yaml"
    if made.onnx is not None and made.onnx.waveform_difference is None and asked == "all":
        yield "model.onnx is not written: finser has the front end of log-mel networks alone as ONNX operators"
    yield f"next: finser predict --bundle {target} FILE"
