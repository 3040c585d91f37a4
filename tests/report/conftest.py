"""Made-up results of a whole run, written as the stages write them; every figure of merit comes from scikit-learn."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from finser import layout
from finser.config.params import Params
from finser.config.sections.classifiers import EncoderHead, EncoderProbe, EncoderTuned, FinEnsemble, Mlp, SmallCnn, Svm, by_map
from finser.config.sections.evaluate_classifier import EvaluateClassifier, NoiseCurve
from finser.config.sections.fetch import Download, Synthetic
from finser.config.sections.results import Summarise
from finser.config.sections.train_fin import FinData, TrainFin
from finser.emotions import EMOTIONS
from finser.report.page import report
from finser.report.read import Results, collect
from finser.summary.summarise import summarise

SPEAKERS = {"ravdess": 6, "crema_d": 8, "tess": 2, "savee": 4, "esd": 4}
SKILL = {"svm": 0.45, "mlp": 0.5, "mlp_half": 0.4, "fin_ensemble": 0.55, "ravdess_cnn": 0.6}
SKILL |= {"small_cnn": 0.5, "pretrained": 0.5, "encoder_probe": 0.6, "probe_all": 0.6, "encoder": 0.6, "encoder_tuned": 0.7}
N_LAYERS = 25
TEMPERATURE = 1.3
R2 = {"rms": 0.99995, "zcr": 0.9999, "chroma": 0.99998, "mfcc": 0.9997, "mel": 0.99999}


def machine_settings(*, svm: bool = False, **changed) -> dict:
    """What finser.machine.settings gives."""
    versions = {"numpy": "2.4.6", "scikit-learn": "1.9.0"} if svm else {"numpy": "2.4.6", "torch": "2.13.0"}
    common = {"threads": 1, "cpu": "AMD EPYC", "device": "cpu", "gpu": None, "versions": versions}
    return {**common, "cpu_capability": None if svm else "AVX512", "blas": "SkylakeX" if svm else None, **changed}


class Run:
    """Writes the inputs of a report below the current folder."""

    def __init__(self, params: Params):
        self.params = params
        self.rng = np.random.default_rng(0)
        self.compared = []

    def write(self) -> None:
        clips = [row for corpus in self.params.corpora for row in self.clips(corpus)]
        for protocol in self.params.protocols:
            self.split(protocol, [row for row in clips if row["status"] == "ok" and row["emotion"] in self.params.emotions])
        for feature in R2:
            self.fin(feature)
        for protocol in self.params.protocols:
            for model in self.params.models:
                for fold in self.params.folds:
                    self.run(model, protocol, fold)
            for fusion in self.params.fusions:
                for fold in self.params.folds:
                    self.fuse(fusion, protocol, fold)
        self.log()

    def clips(self, corpus: str) -> list[dict]:
        speakers = [f"{corpus}/{number:02}" for number in range(1, SPEAKERS[corpus] + 1)]
        emotions = EMOTIONS if corpus == "ravdess" else [e for e in EMOTIONS if e != "calm"]
        rows = [self.clip(corpus, f"{s}-{e}-{take}.wav", s, e) for s in speakers for e in emotions for take in range(8)]
        rows[0] |= {"status": "excluded", "reason": "silent: peak 0 | nothing above 0.0", "path": "odd_|_name.wav"}
        write_parquet(layout.clips(corpus), rows)
        return rows

    def clip(self, corpus: str, path: str, speaker: str, emotion: str) -> dict:
        identity = {"clip_id": f"{corpus}/{path[:-4]}", "corpus": corpus, "path": path.split("/")[1], "speaker": speaker}
        return identity | {
            "language": "zh" if speaker.startswith("esd/01") else "en",
            "sex": {"tess": "female", "savee": "male"}.get(corpus, "male" if int(speaker[-2:]) % 2 else "female"),
            "emotion": emotion,
            "seconds": float(self.rng.uniform(1, 4)),
            "status": "ok",
            "reason": "",
        }

    def split(self, protocol: str, clips: list[dict]) -> None:
        rows = []
        for fold in range(1, self.params.split.folds + 1):
            if protocol == "cross_corpus":
                rows += self.left_out(fold, clips)
                continue
            roles = self.speaker_roles(fold) if protocol == "speaker" else None
            for clip in clips:
                role = roles[clip["speaker"]] if roles else self.rng.choice(["train", "validation", "test"], p=[0.7, 0.15, 0.15])
                rows.append({"fold": fold, **{k: clip[k] for k in ("clip_id", "corpus", "speaker", "emotion")}, "role": str(role)})
        source = {"speaker": "published", "random": "assigned at random"}.get(protocol, "one corpus out")
        sources = dict.fromkeys(self.params.corpora, source)
        metadata = {"protocol": protocol, "leaky": json.dumps(protocol == "random"), "folds_source": json.dumps(sources)}
        write_parquet(layout.split(protocol), rows, metadata)

    def left_out(self, fold: int, clips: list[dict]) -> list[dict]:
        """Rows of a fold that tests on its corpus; TESS has no `calm`, so it takes no part."""
        corpora, rows = self.params.pooled, []
        for clip in clips if fold <= len(corpora) else []:
            if clip["corpus"] in corpora and clip["emotion"] != "calm":
                other = "validation" if clip["speaker"].endswith("01") else "train"
                role = "test" if clip["corpus"] == corpora[fold - 1] else other
                rows.append({"fold": fold, **{k: clip[k] for k in ("clip_id", "corpus", "speaker", "emotion")}, "role": role})
        return rows

    def speaker_roles(self, fold: int) -> dict[str, str]:
        roles = {}
        for corpus in self.params.corpora:
            for number in range(SPEAKERS[corpus]):
                turn = (number + fold) % SPEAKERS[corpus]
                roles[f"{corpus}/{number + 1:02}"] = "test" if turn == 0 else "validation" if turn == 1 else "train"
        return roles

    def fin(self, feature: str) -> None:
        kinds = ["uniform", "weighted", *(("db_uniform", "db_weighted") if feature == "mel" else ())]
        figures = {f"r2_test_{kind}": R2[feature] - 1e-5 * number for number, kind in enumerate(kinds)}
        figures["unseen"] = {
            corpus: {kind: R2[feature] - 1e-4 * (place + 1) - 1e-5 * number for number, kind in enumerate(kinds)}
            for place, corpus in enumerate(self.params.unseen_corpora)
        }
        figures |= {
            "r2_init_uniform": -8.4 if feature == "zcr" else 0.796,
            "r2_init_weighted": 0.7,
            "params": 37_952,
            "steps": 3000,
            "n_test_frames": 9802,
            "n_test_speakers": 4,
            "params_own": 89,
            "seed": 0,
            "device": "cpu",
            "trained_under": [machine_settings()],
        }
        figures |= {"topology": "structured", "init": "random"}
        write_json(layout.training_time("train_fin", feature), {"seconds_train": 8.44})
        figures["front_end_init"] = "random" if feature in ("chroma", "mel", "mfcc") else None
        figures["conditions"] = {
            name: {
                key: figures[f"r2_test_{key}"] - 1e-4
                for key in ("uniform", "weighted", "db_uniform", "db_weighted")
                if f"r2_test_{key}" in figures
            }
            for name in ("gain_+20_dB", "origin_8_kHz")
        }
        figures["r2_test_each"] = [R2[feature]] * {"chroma": 12, "mfcc": 20, "mel": 128}.get(feature, 1)
        figures |= {"seconds_per_frame": 2e-5, "seconds_per_frame_librosa": 1e-5}
        write_json(layout.fin_result(feature), figures)
        rows = [
            {
                "kind": kind,
                "clip_id": f"ravdess/{frame}",
                "frame": frame,
                "coefficient": k,
                "true": float(k),
                "predicted": k + 0.01 * frame,
                "deviations": 0.1 * frame + k,
            }
            for kind, frames in (("worst", (9, 8)), ("value", range(5)))
            for frame in frames
            for k in range(2)
        ]
        write_parquet(layout.fin_frames(feature), rows)
        named = ({"feature": feature, "way": way, "seed": 0} for way in ("closed_form", "reference"))
        self.compared += [{**figures, **one, "trained_under": [machine_settings()]} for one in named]
        steps = np.arange(100, 3001, 100)
        curve = 1 - np.exp(-steps / 300) - (1 - R2[feature])
        write_csv(layout.fin_history(feature), "step,loss_train,r2_validation", zip(steps, 1 - curve, curve, strict=True))

    def run(self, model: str, protocol: str, fold: int) -> None:
        split = pq.read_table(layout.split(protocol)).to_pylist()
        named = [row for row in split if row["fold"] == fold and row["corpus"] in self.params.corpora_of(model)]
        test = sorted((row for row in named if row["role"] == "test"), key=lambda row: row["clip_id"])
        truth = [row["emotion"] for row in test]
        skill = SKILL[model] + (0.2 if protocol == "random" else 0) - 0.02 * fold
        given = {seed: self.probabilities(truth, skill) for seed in self.params.seeds_of(model)}
        folder = layout.classifier_result(model, protocol, fold)
        training = {
            **{f"n_{role}": sum(row["role"] == role for row in named) for role in ("train", "validation")},
            "n_train_speakers": int(
                len({row["speaker"] for row in named if row["role"] == "train"}) * self.params.classifiers[model].speakers
            ),
            "n_test_speakers_heard_by_fins": 3 if (model, protocol, fold) == ("fin_ensemble", "speaker", 2) else 0,
            "params": 178_637 if model == "fin_ensemble" else 12_345,
            "epochs": [24] * len(given),
            "seed": self.params.seeds[0],
            "device": "cpu",
            "trained_under": [machine_settings(svm=model == "svm") for _ in given],
            "noise": self.noise(skill),
        }
        if self.params.classifiers[model].needs_encoder:
            training |= {"found": [self.found(model) for _ in given], "encoder_params": 315_438_720}
        sizes = {"n_test": len(test), "n_test_speakers": len({row["speaker"] for row in test})}
        place = {"protocol": protocol, "fold": fold, "leaky": protocol == "random"}
        write_json(folder / "metrics.json", figures_of(test, given, self.params.emotions) | training | sizes | place)
        write_parquet(folder / "predictions.parquet", predictions_of(test, given, self.params.emotions))
        curve = [(e, 2 * 0.9**e, 1.9 * 0.95**e, skill * (1 - 0.8**e), 0.3) for e in range(1, 2 if model == "svm" else 25)]
        rows = [(*row, seed) for seed in given for row in curve]
        write_csv(folder / "history.csv", "epoch,train_loss,validation_loss,validation_uar,validation_wa,seed", rows)
        for seed in given:
            times = {"seconds_train": 12.34 * fold + seed, "seconds_per_epoch": 0.5 + seed}
            write_json(layout.training_time("train_classifier", model, protocol, fold, seed), times)
        write_json(layout.evaluation_time(model, protocol, fold), {"ms_per_clip": 1.25 * fold, "ms_from_samples": 30.5 * fold})

    def found(self, model: str) -> dict:
        """What a training on an encoder of 25 layers writes: weights that sum to 1, or what a probe tried."""
        options = self.params.classifiers[model]
        if options.model != "encoder_probe":
            return {"layer_weights": self.rng.dirichlet(np.full(N_LAYERS, 5.0)).tolist()}
        layers = [-1] if options.layer == "all" else range(N_LAYERS)
        tried = [
            {"layer": layer, "c": c, "validation_uar": float(0.6 - 0.001 * (layer - 12) ** 2 + self.rng.uniform(-0.05, 0))}
            for layer in layers
            for c in options.penalties
        ]
        best = max(tried, key=lambda one: one["validation_uar"])
        return {"layer": best["layer"], "c": best["c"], "tried": tried}

    def fuse(self, fusion: str, protocol: str, fold: int) -> None:
        """The mean of the members' probabilities, all their seeds, under the first seed."""
        members = self.params.fuse_classifiers[fusion].members
        tables = [pq.read_table(layout.classifier_result(model, protocol, fold) / "predictions.parquet").to_pylist() for model in members]
        each = [[row for row in rows if row["seed"] == seed] for rows in tables for seed in sorted({row["seed"] for row in rows})]
        given = {self.params.seeds[0]: np.mean([[[row[f"p_{e}"] for e in self.params.emotions] for row in rows] for rows in each], axis=0)}
        folder = layout.fusion_result(fusion, protocol, fold)
        write_parquet(folder / "predictions.parquet", predictions_of(each[0], given, self.params.emotions))
        sizes = {"n_test": len(each[0]), "n_test_speakers": len({row["speaker"] for row in each[0]})}
        heard = {"n_test_speakers_heard_by_fins": 1 if (protocol, fold) == ("speaker", 2) else 0}
        names = [f"{model} {seed}" for model in members for seed in self.params.seeds_of(model)]
        weights = self.rng.dirichlet(np.ones(len(names)))  # any: the report shows what the file says
        shares = {"weights": dict(zip(names, weights.tolist(), strict=True))}
        write_json(folder / "metrics.json", figures_of(each[0], given, self.params.emotions) | sizes | heard | shares)

    def probabilities(self, truth: list[str], skill: float) -> np.ndarray:
        """Shape (n, classes): right in a share `skill` of the clips, and unsure."""
        place = self.params.emotions.index
        known = [place(emotion) for emotion in sorted(set(truth))]
        best = [place(e) if self.rng.random() < skill else int(self.rng.choice(known)) for e in truth]
        rows = self.rng.dirichlet(np.full(len(self.params.emotions), 0.4), len(truth))
        rows[np.arange(len(truth)), best] += self.rng.uniform(0.3, 2, len(truth)) + rows.max(1)
        return rows / rows.sum(1, keepdims=True)

    def noise(self, skill: float) -> dict:
        options = self.params.evaluate_classifier.noise
        if not options.kinds:
            return {}
        curves = {
            kind: {f"{snr:g}": skill - cost - 0.1 / (1 + snr) for snr in options.snr_db} for kind, cost in (("white", 0.1), ("babble", 0.2))
        }
        return {"clean": {"inf": skill}} | {kind: curves[kind] for kind in options.kinds}

    def log(self) -> None:
        lines = [line("train_fin", ["rms"], 8.4), line("train_fin", ["rms"], 99.0, "failed"), line("train_front_end", [], 174)]
        lines += [line("resample", [corpus], 30) for corpus in self.params.corpora]
        lines += [
            line("train_classifier", ["mlp", "speaker", "1", "0"], 1000),
            line("train_classifier", ["mlp", "speaker", "1", "0"], 12.34),
        ]
        lines += [line("train_classifier", ["mlp", "speaker", "9", "0"], 77777)]  # a fold that params do not name
        lines += [line("fetch", ["ravdess"], 55555, preset="tiny")]
        write_json(layout.training_time("train_front_end"), {"seconds_train": 174})
        compared: dict = {}
        for one in self.compared:
            compared.setdefault(one["feature"], {}).setdefault(one["way"], {})[str(one["seed"])] = one
        write_json(layout.fin_comparisons(), compared)
        layout.COMMANDS_LOG.parent.mkdir(exist_ok=True)
        layout.COMMANDS_LOG.write_text("\n".join(lines) + "\n")


def per_corpus(test: list[dict], predicted: list[str], figure) -> float:
    """Mean over the corpora of a figure of their clips."""
    corpora = [row["speaker"].split("/")[0] for row in test]
    parts = [
        [(row["emotion"], said) for row, said, of in zip(test, predicted, corpora, strict=True) if of == name] for name in set(corpora)
    ]
    return float(np.mean([figure(*zip(*part, strict=True)) for part in parts]))


def f1_macro(truth: tuple[str, ...], predicted: tuple[str, ...]) -> float:
    return f1_score(truth, predicted, labels=sorted(set(truth)), average="macro", zero_division=0)


def figures_of(test: list[dict], given: dict[int, np.ndarray], classes: tuple[str, ...]) -> dict:
    """What metrics.json says of test clips: means over the corpora and seeds."""
    predicted = [[classes[best] for best in rows.argmax(1)] for rows in given.values()]
    numbers = [classes.index(row["emotion"]) for row in test]
    uars, was, f1s = ([per_corpus(test, one, of) for one in predicted] for of in (balanced_accuracy_score, accuracy_score, f1_macro))
    figures = {name: float(np.mean(values)) for name, values in (("uar", uars), ("wa", was), ("f1_macro", f1s))}
    ends = {
        f"{name}_ci_{end}": value + by
        for name, value in figures.items()
        for end, by in (("low", -0.051), ("high", 0.049), ("centre", -0.001))
    }
    temperatures = [TEMPERATURE + 0.3 * place for place in range(len(given))]
    scaled = [rows ** (1 / t) for rows, t in zip(given.values(), temperatures, strict=True)]
    nlls = [
        float(np.mean([log_loss(numbers, rows / rows.sum(1, keepdims=True), labels=range(len(classes))) for rows in all_rows]))
        for all_rows in (given.values(), scaled)
    ]
    ends["interval_corpora"] = sorted({row["speaker"].split("/")[0] for row in test})[:2]
    calibration = {"ece": 0.1234, "ece_scaled": 0.0456, "nll": nlls[0], "nll_scaled": nlls[1]}
    calibration |= {"temperature": float(np.mean(temperatures)), "temperature_seeds": temperatures}
    return figures | ends | calibration | {"uar_seeds": uars, "wa_seeds": was, "seeds": list(given)}


def predictions_of(test: list[dict], given: dict[int, np.ndarray], classes: tuple[str, ...]) -> list[dict]:
    """Rows of predictions.parquet, sorted by seed and clip."""
    return [
        {name: row[name] for name in ("clip_id", "speaker", "emotion")}
        | {"predicted": classes[best.argmax()]}
        | {f"p_{emotion}": float(p) for emotion, p in zip(classes, best, strict=True)}
        | {"seed": seed}
        for seed, rows in given.items()
        for row, best in zip(test, rows, strict=True)
    ]


def line(stage: str, item: list[str], seconds: float, status: str = "ok", preset: str = "demo") -> str:
    return json.dumps(
        {
            "preset": preset,
            "stage": stage,
            "item": item,
            "status": status,
            "seconds": seconds,
            "cores": 2,
            "started": "2024-01-01T00:00:00+00:00",
        }
    )


def write_parquet(path: Path, rows: list[dict], metadata: dict[str, str] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.replace_schema_metadata(metadata) if metadata else table, path)


def write_json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_csv(path: Path, header: str, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


def classifiers(**sections) -> dict:
    """Models and their sections."""
    return {"models": tuple(sections), **by_map(sections)}


def synthetic_params() -> Params:
    """Five synthetic corpora, two protocols, two folds, two seeds; a learning curve of two points, a model of one corpus, a pair."""
    return Params(
        **classifiers(
            svm=Svm(), mlp=Mlp(), mlp_half=Mlp(speakers=0.5), fin_ensemble=FinEnsemble(), ravdess_cnn=SmallCnn(corpora=("ravdess",))
        ),
        seeds=(0, 1),
        train_fin=TrainFin(data=FinData(corpora=("ravdess", "crema_d", "tess", "savee"))),
        fetch={corpus: Synthetic(speakers=speakers) for corpus, speakers in SPEAKERS.items()},
        evaluate_classifier=EvaluateClassifier(noise=NoiseCurve(snr_db=(20, 0))),
        summarise=Summarise(pairs=(("fin_ensemble", "mlp"),)),
    )


def real_params() -> Params:
    """Two downloaded corpora, the second unseen by the FINs; one protocol, one fold, one network, no noise."""
    corpora = ("ravdess", "tess")
    return Params(
        preset="open",
        corpora=corpora,
        pooled=corpora,
        protocols=("speaker",),
        folds=(2,),
        fetch={corpus: Download(source="download") for corpus in corpora},
        train_fin=TrainFin(data=FinData(corpora=("ravdess",))),
        evaluate_classifier=EvaluateClassifier(noise=NoiseCurve(kinds=())),
        **classifiers(svm=Svm(), mlp=Mlp()),
    )


def cross_params() -> Params:
    """The same two corpora, each left out once, beside both other protocols; two seeds, a fusion, and a trunk of no model that runs."""
    values = real_params().model_dump()
    places = {"protocols": ("speaker", "random", "cross_corpus"), "folds": (1, 2), "seeds": (0, 1)}
    fused = {"fusions": ("both",), "fuse_classifiers": {"both": {"members": ("svm", "mlp")}}, "summarise": {"pairs": (("both", "mlp"),)}}
    sections = {**values["train_classifier"], "small_cnn": SmallCnn().model_dump()}
    return Params.model_validate({**values, **places, **fused, "train_classifier": sections, "pretrain": {"trunks": ("small_cnn",)}})


def chosen_params() -> Params:
    """Two synthetic corpora with four chosen emotions, of which TESS lacks one; a speaker split and one corpus out."""
    values = real_params().model_dump() | {"fetch": {corpus: Synthetic().model_dump() for corpus in ("ravdess", "tess")}}
    places = {"protocols": ("speaker", "cross_corpus"), "folds": (1, 2), "emotions": ("sad", "calm", "angry", "happy")}
    fused = {"fusions": ("both",), "fuse_classifiers": {"both": {"members": ("svm", "mlp")}}}
    return Params.model_validate({**values, **places, **fused})


def encoder_params() -> Params:
    """A model of every group, in the reverse order of the groups; two folds, two seeds."""
    values = real_params().model_dump()
    encoder = {"init": "models/weights/wavlm"}
    sections = classifiers(
        encoder_tuned=EncoderTuned(**encoder),
        encoder=EncoderHead(**encoder),
        probe_all=EncoderProbe(**encoder, layer="all"),
        encoder_probe=EncoderProbe(**encoder, normalise="speaker"),
        fin_ensemble=FinEnsemble(),
        pretrained=SmallCnn(init="models/pretrained/small_cnn"),
        small_cnn=SmallCnn(),
        mlp=Mlp(),
        svm=Svm(),
    )
    given = {name: sections[name] if name == "models" else {k: v.model_dump() for k, v in sections[name].items()} for name in sections}
    weights = {"wavlm": {"source": "local", "family": "wav2vec2", "sha256": "0" * 64}}
    more = {"features": {"encoders": ("wavlm",)}, "fetch_weights": weights, "pretrain": {"trunks": ("small_cnn",)}}
    fused = {"fusions": ("both",), "fuse_classifiers": {"both": {"members": ("svm", "encoder_probe")}}}
    return Params.model_validate({**values, **given, **more, **fused, "folds": (1, 2), "seeds": (0, 1)})


@pytest.fixture(scope="session")
def encoder_run(tmp_path_factory) -> tuple[Path, Params]:
    """A run with models of every group, three of them with layers of an encoder to show."""
    return written(tmp_path_factory.mktemp("encoders"), encoder_params())


@pytest.fixture(scope="session")
def chosen_run(tmp_path_factory) -> tuple[Path, Params]:
    """A run with four emotions; the index has clips of eight."""
    return written(tmp_path_factory.mktemp("chosen"), chosen_params())


@pytest.fixture(scope="session")
def cross_run(tmp_path_factory) -> tuple[Path, Params]:
    """A run whose third protocol leaves one corpus out."""
    return written(tmp_path_factory.mktemp("cross"), cross_params())


@pytest.fixture(scope="session")
def synthetic_run(tmp_path_factory) -> tuple[Path, Params]:
    """A folder with the inputs of a report, and its parameters."""
    return written(tmp_path_factory.mktemp("synthetic"), synthetic_params())


@pytest.fixture(scope="session")
def real_run(tmp_path_factory) -> tuple[Path, Params]:
    """The same, smaller, not synthetic."""
    return written(tmp_path_factory.mktemp("real"), real_params())


def written(folder: Path, params: Params) -> tuple[Path, Params]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Run(params).write()
        summarise(params)
    return folder, params


class Page:
    """A report that was made in `folder`, and its tables parsed back."""

    def __init__(self, folder: Path, params: Params, results: Results):
        self.folder, self.params, self.results = folder, params, results
        self.text = (folder / "results/report.md").read_text()
        self.html = (folder / "results/report.html").read_text()
        self.tables = parse(self.text)

    def again(self) -> "Page":
        """What the current folder holds now."""
        return Page(Path.cwd(), self.params, self.results)

    def table(self, words: str) -> list[dict[str, str]]:
        """The rows of the one table whose caption holds `words`."""
        found = [rows for caption, rows in self.tables if words in caption]
        assert len(found) == 1, f"{len(found)} tables: {words}"
        return found[0]

    def metrics(self, model: str, protocol: str, fold: int) -> dict:
        return json.loads((self.folder / self.result(model, protocol, fold) / "metrics.json").read_text())

    def result(self, model: str, protocol: str, fold: int) -> Path:
        """Of a classifier or of a fusion."""
        return (layout.fusion_result if model in self.params.fusions else layout.classifier_result)(model, protocol, fold)

    def predictions(self, model: str, protocol: str) -> list[dict]:
        folders = [self.folder / self.result(model, protocol, fold) for fold in self.params.folds]
        return [row for folder in folders for row in pq.read_table(folder / "predictions.parquet").to_pylist()]

    def by_seed(self, model: str, protocol: str, kept=lambda row: True) -> list[tuple[list[str], list[str]]]:
        """Per seed the truth and the predictions of the clips of all folds."""
        rows = [row for row in self.predictions(model, protocol) if kept(row)]
        each = [[row for row in rows if row["seed"] == seed] for seed in sorted({row["seed"] for row in rows})]
        return [([row["emotion"] for row in part], [row["predicted"] for row in part]) for part in each]


def parse(text: str) -> list[tuple[str, list[dict[str, str]]]]:
    """Captions with the tables that follow them; of equal headers, the later ones get a number."""
    tables = []
    for caption, body in re.findall(r"^(\*\*Table \d.*)\n\n((?:\|.*\n)+)", text, re.MULTILINE):
        lines = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in body.splitlines()]
        assert len({len(cells) for cells in lines}) == 1, f"rows of different lengths: {caption}"
        header = [name if name not in lines[0][:k] else f"{name} {k}" for k, name in enumerate(lines[0])]
        tables.append((caption, [dict(zip(header, cells, strict=True)) for cells in lines[2:]]))
    return tables


def made(folder: Path, params) -> Page:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report(params)
        return Page(folder, params, collect(params))


@pytest.fixture(scope="session")
def synthetic(synthetic_run) -> Page:
    return made(*synthetic_run)


@pytest.fixture(scope="session")
def encoders(encoder_run) -> Page:
    return made(*encoder_run)


@pytest.fixture(scope="session")
def chosen(chosen_run) -> Page:
    return made(*chosen_run)


@pytest.fixture(scope="session")
def real(real_run) -> Page:
    return made(*real_run)


@pytest.fixture(scope="session")
def cross(cross_run) -> Page:
    return made(*cross_run)


@pytest.fixture
def here(real, tmp_path, monkeypatch) -> Page:
    """A copy of the smaller run, to be damaged; it is the current folder."""
    shutil.copytree(real.folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return real
