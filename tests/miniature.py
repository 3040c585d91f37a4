"""A miniature project: ten speakers, eight emotions, each a tone of its own that is switched on and off."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from finser import layout, seeds
from finser.audio.frames import SR
from finser.audio.shards import AudioRow, LabelRow, read_audio, read_labels, write_audio, write_labels
from finser.classifiers.prepare import prepare_classifier
from finser.classifiers.prepare_fine_tuning import prepare_fine_tuning
from finser.classifiers.prepare_pretraining import prepare_pretraining
from finser.classifiers.train_classifier import train_classifier
from finser.config.params import Params
from finser.config.sections.classifiers import (
    DEFAULT_VARIANTS,
    KINDS,
    Ast,
    ClassifierSection,
    EncoderHead,
    EncoderProbe,
    EncoderTuned,
    FinEnsemble,
    LogMel,
    Mlp,
    Resnet18,
    ShallowCnn,
    SmallCnn,
    Svm,
    by_map,
)
from finser.config.sections.fetch import Synthetic
from finser.config.sections.masks import Masks
from finser.corpora.clips import CLIPS_SCHEMA
from finser.emotions import EMOTIONS
from finser.encoders import embed as embedding
from finser.encoders.embed import embed
from finser.evaluation.evaluate_classifier import evaluate_classifier
from finser.features.extract import features as extract
from finser.features.labels import features
from finser.features.noisy import noisy
from finser.features.pool import pool
from finser.files import read_json
from finser.fins import outputs
from finser.fins.nets.chroma import ChromaFin
from finser.fins.nets.mel import MelFin
from finser.fins.nets.mfcc import MfccFin
from finser.fins.nets.rms import RmsFin
from finser.fins.nets.transform import FrontEnd
from finser.fins.nets.zcr import ZcrFin
from finser.fins.outputs import apply_fins
from finser.fins.store import save_fin
from finser.splits.protocols import split, split_fins
from finser.splits.table import read_parts

from .encoders import tiny

SPEAKERS = [f"{number:02d}" for number in range(1, 11)]
CLIPS = 2  # per speaker and emotion


def tone(emotion: int, rng: np.random.Generator) -> np.ndarray:
    """About 0.6 s of noise in which a tone of 300, 450, ... Hz comes and goes five times a second."""
    time = np.arange(int(SR * rng.uniform(0.5, 0.7))) / SR
    gate = np.sin(2 * np.pi * 5 * time + rng.uniform(0, 6)) > 0
    wave = 0.1 * rng.uniform(0.5, 2) * gate * np.sin(2 * np.pi * 300 * 1.5**emotion * time)
    return np.round(32767 * (wave + 0.003 * rng.standard_normal(len(time)))).clip(-32768, 32767).astype(np.int16)


def audio_rows() -> list[AudioRow]:
    rows = []
    for speaker in SPEAKERS:
        for number, emotion in enumerate(EMOTIONS):
            for clip in range(CLIPS):
                clip_id = f"ravdess/{speaker}/{emotion}-{clip}"
                for variant in DEFAULT_VARIANTS:
                    samples = tone(number, seeds.generator("tone", clip_id, variant))
                    rows.append(AudioRow(clip_id, "ravdess", f"ravdess/{speaker}", emotion, variant, 0, {}, samples))
    return rows


def write_clips(emotions: dict[str, str]) -> None:
    """The index of the clips in `emotions`, clip_id -> emotion."""
    texts = {field.name: "" for field in CLIPS_SCHEMA if field.type == pa.string()}
    numbers = {field.name: 1 for field in CLIPS_SCHEMA if field.type != pa.string()}
    fixed = {**texts, **numbers, "corpus": "ravdess", "language": "en", "status": "ok"}
    rows = [
        {
            **fixed,
            "clip_id": clip,
            "sha256": clip,
            "path": f"{clip}.wav",
            "speaker": clip.rsplit("/", 1)[0],
            "sex": "male",
            "emotion": emotion,
        }
        for clip, emotion in emotions.items()
    ]
    layout.clips("ravdess").parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, CLIPS_SCHEMA), layout.clips("ravdess"))


def write_fins(speakers: list[str]) -> None:
    """Five FINs on one exact front end, their own weights random: untaught, though they claim to have heard `speakers`."""
    draw = torch.Generator().manual_seed(0)
    front_end = FrontEnd().closed_form()
    mel = MelFin(front_end, draw)
    fins = [RmsFin(draw), ZcrFin(draw), ChromaFin(front_end, draw), MfccFin(mel, draw), mel]
    for fin in fins:
        save_fin(layout.fin(fin.feature), fin, {"feature": fin.feature, "speakers": speakers}, [{"step": 0, "loss": 0.0}])


FEW = {"epochs": 12, "variants": ("original", "noise")}
NANO = {"model_size": "nano", "frequency_stride": 16, "time_stride": 16, "frames": 64, "batch_size": 16, "learning_rate": 0.002}
ENCODER = "models/weights/byol_s"  # with random weights
SMALL = {"crop_frames": 32, "center": "cmn"}  # of log_mel; a tone's place is what tells the emotion, not its level


def sections() -> dict[str, ClassifierSection]:
    """A section of every kind, small and short."""
    mel = {"learning_rate": 0.005, "mixup": 0.2, "log_mel": LogMel(**SMALL)}
    return {
        "svm": Svm(),
        "mlp": Mlp(epochs=12, learning_rate=0.01),
        "shallow_cnn": ShallowCnn(**FEW, **mel, width=8),
        "small_cnn": SmallCnn(**FEW, **mel, width=6),
        "resnet18": Resnet18(**FEW, **mel, width=8),
        "ast": Ast(**{**FEW, "epochs": 24}, **NANO, masks=Masks(band_width=8, time_width=8)),
        "fin_ensemble": FinEnsemble(epochs=6, channels=16, crop_frames=24, learning_rate=0.005),
        "encoder_probe": EncoderProbe(init=ENCODER, c=(0.01,)),
        "encoder": EncoderHead(init=ENCODER, epochs=30, hidden=(32,), learning_rate=0.005),
        "encoder_tuned": EncoderTuned(init=ENCODER, epochs=8, crop_seconds=0.5, encoder_learning_rate=0.001, learning_rate=0.005),
    }


@pytest.fixture(autouse=True)
def denormals():
    """A classifier flushes denormals to zero in its whole process; hypothesis refuses to draw floats in such a one."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def params() -> Params:
    return Params(
        corpora=("ravdess",),
        pooled=("ravdess",),
        fetch={"ravdess": Synthetic()},
        train_fin={"data": {"corpora": ("ravdess",)}},
        **by_map(sections()),
        evaluate_classifier={"noise": {"kinds": ()}},
        features={"filter_bank_variants": ("original", "noise"), "encoders": ("byol_s",)},
        fetch_weights={"byol_s": {"source": "local", "family": "byol_s", "sha256": "0" * 64}},
    )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, params: Params) -> Path:
    """The miniature project up to its splits and FINs."""
    folder = tmp_path_factory.mktemp("miniature")
    rows = audio_rows()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FINSER_CORES", "1")  # a session fixture comes before one_process
        write_audio(layout.shards("ravdess"), rows)
        write_labels(layout.labels("ravdess"), (LabelRow(row.clip_id, row.variant, features(row.audio)) for row in rows))
        write_clips({row.clip_id: row.emotion for row in rows})
        for protocol in ("speaker", "random"):
            split(params, protocol)
        split_fins(params)
        parts = read_parts("speaker", 1, ["ravdess"])
        write_fins(sorted({row["speaker"] for part in ("train", "validation") for row in parts[part].to_pylist()}))
        tiny.write(layout.weights("byol_s"), "byol_s")
        renew(params, "ravdess")
        pool(params)
        for protocol in ("speaker", "random"):
            noisy(params, protocol, 1)
    return folder


@pytest.fixture(scope="session")
def trained(built: Path, tmp_path_factory: pytest.TempPathFactory, params: Params) -> Path:
    """The miniature project with a classifier of every kind, trained and evaluated on fold 1 of `speaker` with two seeds."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    shutil.copytree(built, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FINSER_CORES", "1")
        for model in KINDS:
            run(params, model)
    return folder


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the miniature project, as the working folder."""
    return _copy(built, tmp_path, monkeypatch)


@pytest.fixture
def finished(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the miniature project with all that was trained, as the working folder."""
    return _copy(trained, tmp_path, monkeypatch)


def _copy(folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(folder, target / "project")
    monkeypatch.chdir(target / "project")
    return target / "project"


def renew(params: Params, corpus: str) -> None:
    """Compute again what is stored of a corpus, after its shards or labels were changed."""
    for representation in params.features.representations:
        extract(params, corpus, representation)
    embedding._encoder.cache_clear()
    for encoder in params.features.encoders:
        embed(params, corpus, encoder)
    outputs._fins.cache_clear()  # a stage is a process of its own; here another project's FINs may be loaded
    apply_fins(params, corpus)


def prepare(params: Params, model: str) -> None:
    """The stages that make models/initial/MODEL, and list what its encoder is pretrained on, of the files as they are now."""
    pool(params)
    (prepare_fine_tuning if model in params.fine_tune else prepare_classifier)(params, model)
    if model in params.pretrain.trunks:
        prepare_pretraining(params, model)


def run(params: Params, model: str, protocol: str = "speaker", fold: int = 1) -> dict:
    """All three stages of a model; returns its metrics."""
    prepare(params, model)
    for seed in params.seeds:
        train_classifier(params, model, protocol, fold, seed)
    evaluate_classifier(params, model, protocol, fold)
    return read_json(layout.classifier_result(model, protocol, fold) / "metrics.json")


@pytest.fixture(name="run", scope="session")
def run_() -> Callable[..., dict]:
    """:func:`run`, for tests."""
    return run


def dumped(maps: dict[str, dict[str, ClassifierSection]]) -> dict[str, dict]:
    """Both maps as values."""
    return {name: {section: options.model_dump() for section, options in sections.items()} for name, sections in maps.items()}


@pytest.fixture(scope="session")
def altered(params: Params) -> Callable[..., Params]:
    """Params in which a model's section has other options."""

    def alter(model: str, **options: object) -> Params:
        values = {name: section.model_dump() for name, section in params.classifiers.items()}
        values[model] |= ({} if KINDS[model].needs_encoder else {"init": None}) | options
        kinds = {name: KINDS[section["model"]].model_validate(section) for name, section in values.items()}
        return Params.model_validate({**params.model_dump(), **dumped(by_map(kinds))})

    return alter


def write_emotions(params: Params, emotions: dict[str, str]) -> None:
    """Write the index, the shards and what is stored of them again with other emotions, clip_id -> emotion."""
    write_clips(emotions)
    write_audio(layout.shards("ravdess"), [replace(row, emotion=emotions[row.clip_id]) for row in read_audio(layout.shards("ravdess"))])
    renew(params, "ravdess")


@pytest.fixture
def relabel(params: Params) -> Callable[[dict[str, str]], None]:
    """:func:`write_emotions`, for tests."""
    return partial(write_emotions, params)


def as_tess(name: str) -> str:
    return name.replace("ravdess", "tess")


@pytest.fixture(scope="session")
def with_tess(built: Path, tmp_path_factory: pytest.TempPathFactory, params: Params) -> Path:
    """A miniature project that has the same clips and labels again as TESS, whose speakers are others, and who are never calm."""
    folder = tmp_path_factory.mktemp("with_tess") / "project"
    shutil.copytree(built, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FINSER_CORES", "1")
        write_tess()
        renew(params, "tess")
    return folder


def write_tess() -> None:
    renamed = [replace(row, clip_id=as_tess(row.clip_id)) for row in read_labels(layout.labels("ravdess"))]
    write_labels(layout.labels("tess"), [row for row in renamed if "calm" not in row.clip_id])
    heard = [row for row in read_audio(layout.shards("ravdess")) if row.emotion != "calm"]
    renamed = [replace(row, corpus="tess", clip_id=as_tess(row.clip_id), speaker=as_tess(row.speaker)) for row in heard]
    write_audio(layout.shards("tess"), renamed)
    rows = pq.read_table(layout.clips("ravdess")).to_pylist()
    rows = [{k: as_tess(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    rows = [row for row in rows if row["emotion"] != "calm"]
    pq.write_table(pa.Table.from_pylist(rows, CLIPS_SCHEMA), layout.clips("tess"))


@pytest.fixture
def second_corpus(with_tess: Path, project: Path) -> None:
    """The files of TESS in the working folder."""
    shutil.copytree(with_tess / "data", project / "data", dirs_exist_ok=True)
