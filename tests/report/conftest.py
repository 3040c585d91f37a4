"""Made-up results of a whole run, written as the stages write them; every figure of merit comes from scikit-learn."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from finser import layout
from finser.emotions import EMOTIONS
from finser.params import ClassifierData, Download, FinData, Initialise, Params, Synthetic, TrainClassifier, TrainFin, begins

SPEAKERS = {"ravdess": 6, "crema_d": 8, "tess": 2, "savee": 4, "esd": 4}
SKILL = {"svm": 0.45, "mlp": 0.5, "fin_ensemble": 0.55}
R2 = {"rms": 0.99995, "zcr": 0.9999, "chroma": 0.99998, "mfcc": 0.9997, "mel": 0.99999}


class Run:
    """Writes the inputs of a report below the current folder."""

    def __init__(self, params: Params):
        self.params = params
        self.rng = np.random.default_rng(0)

    def write(self) -> None:
        clips = [row for corpus in self.params.corpora for row in self.clips(corpus)]
        for protocol in self.params.protocols:
            self.split(protocol, [row for row in clips if row["status"] == "ok"])
        for feature in R2:
            self.fin(feature)
        for protocol in self.params.protocols:
            for model in self.params.models:
                for fold in self.params.folds:
                    self.run(model, protocol, fold)
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
        sources = dict.fromkeys(self.params.corpora, {"speaker": "published", "random": "dealt"}.get(protocol, "one corpus out"))
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
        names = [f"r2_{where}_{kind}" for where in ("test", "unseen") for kind in ("uniform", "weighted")]
        names += [f"r2_{where}_db_{kind}" for where in ("test", "unseen") for kind in ("uniform", "weighted")] if feature == "mel" else []
        figures = {name: R2[feature] - 1e-5 * number for number, name in enumerate(names)}
        figures |= {
            "r2_init_uniform": -8.4 if feature == "zcr" else 0.796,
            "r2_init_weighted": 0.7,
            "params": 37_952,
            "params_own": 89,
            "seed": 0,
            "device": "cpu",
        }
        figures |= {"topology": "structured", "init": "random"}
        write_json(layout.training_time("train_fin", feature), {"seconds_train": 8.44})
        figures["front_end_init"] = "random" if feature in ("chroma", "mel", "mfcc") else None
        if not self.params.unseen_corpora:
            figures |= {name: None for name in figures if "unseen" in name}
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
        for way in ("closed_form", "reference"):
            write_json(layout.fin_comparison(feature, way, 0), {**figures, "feature": feature, "way": way, "seed": 0})
        steps = np.arange(100, 3001, 100)
        curve = 1 - np.exp(-steps / 300) - (1 - R2[feature])
        write_csv(layout.fin_history(feature), "step,loss_train,r2_validation", zip(steps, 1 - curve, curve, strict=True))

    def run(self, model: str, protocol: str, fold: int) -> None:
        split = pq.read_table(layout.split(protocol)).to_pylist()
        named = [row for row in split if row["fold"] == fold and row["corpus"] in self.params.pooled]
        test = [row for row in named if row["role"] == "test"]
        truth = [row["emotion"] for row in test]
        skill = SKILL[model] + (0.2 if protocol == "random" else 0) - 0.02 * fold
        present = [emotion for emotion in EMOTIONS if emotion in truth]
        predicted = [e if self.rng.random() < skill else str(self.rng.choice(present)) for e in truth]
        uar = balanced_accuracy_score(truth, predicted)
        wa, f1 = accuracy_score(truth, predicted), f1_score(truth, predicted, average="macro")
        figures = {
            "wa": wa,
            "uar": uar,
            "f1_macro": f1,
            "uar_ci_low": uar - 0.051,
            "uar_ci_high": uar + 0.049,
            "wa_ci_low": wa - 0.031,
            "wa_ci_high": wa + 0.029,
            "f1_macro_ci_low": f1 - 0.021,
            "f1_macro_ci_high": f1 + 0.019,
            **{f"n_{role}": sum(row["role"] == role for row in named) for role in ("train", "validation", "test")},
            "n_test_speakers": len({row["speaker"] for row in test}),
            "n_test_speakers_heard_by_fins": 3 if (model, protocol, fold) == ("fin_ensemble", "speaker", 2) else 0,
            "params": 178_637 if model == "fin_ensemble" else 12_345,
            "seed": 0,
            "device": "cpu",
        }
        folder = layout.classifier_result(model, protocol, fold)
        write_json(folder / "metrics.json", figures)
        write_json(layout.training_time("train_classifier", model, protocol, fold), {"seconds_train": 12.34 * fold})
        keep = ("clip_id", "speaker", "emotion")
        write_parquet(
            folder / "predictions.parquet",
            [{k: row[k] for k in keep} | {"predicted": p} for row, p in zip(test, predicted, strict=True)],
        )
        epochs = [] if model == "svm" else [(e, 2 * 0.9**e, skill * (1 - 0.8**e)) for e in range(1, 25)]
        write_csv(folder / "history.csv", "epoch,train_loss,validation_uar", epochs)

    def log(self) -> None:
        lines = [line("train_fin", ["rms"], 8.4), line("train_fin", ["rms"], 99.0, "failed"), line("train_front_end", [], 174)]
        lines += [line("resample", [corpus], 30) for corpus in self.params.corpora]
        lines += [line("train_classifier", ["mlp", "speaker", "1"], 1000), line("train_classifier", ["mlp", "speaker", "1"], 12.34)]
        lines += [line("train_classifier", ["mlp", "speaker", "9"], 77777)]  # a fold that params do not name
        lines += [line("fetch", ["ravdess"], 55555, preset="tiny")]
        write_json(layout.training_time("train_front_end"), {"seconds_train": 174})
        layout.COMMANDS_LOG.parent.mkdir(exist_ok=True)
        layout.COMMANDS_LOG.write_text("\n".join(lines) + "\n")


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


def synthetic_params() -> Params:
    """Five synthetic corpora, two protocols, two folds."""
    return Params(fetch={corpus: Synthetic(speakers=speakers) for corpus, speakers in SPEAKERS.items()})


def real_params() -> Params:
    """Two downloaded corpora, the second unseen by the FINs; one protocol, one fold, one network."""
    corpora = ("ravdess", "tess")
    return Params(
        preset="open",
        corpora=corpora,
        models=("svm", "mlp"),
        protocols=("speaker",),
        folds=(2,),
        fetch={corpus: Download(source="download") for corpus in corpora},
        initialise=Initialise(models=begins(("svm", "mlp"))),
        train_fin=TrainFin(data=FinData(corpora=("ravdess",))),
        train_classifier=TrainClassifier(data=ClassifierData(corpora=corpora)),
    )


def cross_params() -> Params:
    """The same two corpora, each left out once, beside both other protocols."""
    values = real_params().model_dump()
    return Params.model_validate({**values, "protocols": ("speaker", "random", "cross_corpus"), "folds": (1, 2)})


@pytest.fixture(scope="module")
def cross_run(tmp_path_factory) -> tuple[Path, Params]:
    """A run whose third protocol leaves one corpus out."""
    return written(tmp_path_factory.mktemp("cross"), cross_params())


@pytest.fixture(scope="module")
def synthetic_run(tmp_path_factory) -> tuple[Path, Params]:
    """A folder with the inputs of a report, and its parameters."""
    return written(tmp_path_factory.mktemp("synthetic"), synthetic_params())


@pytest.fixture(scope="module")
def real_run(tmp_path_factory) -> tuple[Path, Params]:
    """The same, smaller, not synthetic."""
    return written(tmp_path_factory.mktemp("real"), real_params())


def written(folder: Path, params: Params) -> tuple[Path, Params]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Run(params).write()
    return folder, params
