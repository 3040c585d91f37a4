import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finser import layout
from finser.audio.shards import AudioRow, write_audio
from finser.config import presets
from finser.config.params import Params, validate
from finser.corpora.clips import CLIPS_SCHEMA
from finser.features import labels
from finser.features.pool import pool
from finser.fins.front_end import train_front_end
from finser.seeds import generator
from finser.splits.table import SCHEMA
from finser.training.device import start_torch

ROLES = ["train", "train", "validation", "test"]  # of speakers 0 .. 3


def tone(speaker: int, clip: int, variant: str) -> np.ndarray:
    """A tone in noise after digital silence; its very first samples tell whose it is."""
    draws = generator("tone", speaker, clip, variant)
    n = 12_000 + 500 * clip
    y = 6000 * draws.random() * np.sin(2 * np.pi * np.arange(n) * draws.uniform(80, 4000) / 22_050) + 500 * draws.standard_normal(n)
    y[: n // 4] = 0
    y = np.rint(y).astype(np.int16)
    y[:8] = 100 + speaker
    return y


def write_corpus(corpus: str, clips: int) -> list[dict]:
    """Shards of four speakers, and their rows of the split."""
    rows, split = [], []
    for speaker, role in enumerate(ROLES):
        for clip in range(clips):
            name = {"clip_id": f"{corpus}/{speaker}-{clip}", "corpus": corpus, "speaker": f"{corpus}/{speaker}", "emotion": "sad"}
            for variant in ("original", "noise", "speed_pitch"):
                rows.append(AudioRow(**name, variant=variant, seed=0, draw={}, audio=tone(speaker, clip, variant)))
            split.append({"fold": 1, **name, "role": role})
            split.append({"fold": 2, **name, "role": "train"})
    write_audio(layout.shards(corpus), rows)
    write_index(corpus, [row for row in split if row["fold"] == 1])
    return split


def write_index(corpus: str, clips: list[dict]) -> None:
    """The table of a corpus's clips, all usable; columns that FINs do not read are empty."""
    empty = {field.name: "" if field.type == pa.string() else 1 for field in CLIPS_SCHEMA}
    named = [{name: row[name] for name in ("clip_id", "corpus", "speaker", "emotion")} for row in clips]
    layout.clips(corpus).parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([empty | row | {"status": "ok"} for row in named], CLIPS_SCHEMA)
    pq.write_table(table, layout.clips(corpus))


def mini_params(**changes: object) -> Params:
    """Three corpora, two of them learned from, a front end in closed form and a few hundred frames."""
    values = presets.demo().model_dump(mode="json")
    values["corpora"] = ["ravdess", "savee", "esd"]
    values["fetch"] = {corpus: values["fetch"][corpus] for corpus in values["corpora"]}
    values["train_fin"]["data"]["corpora"] = values["pooled"] = ["ravdess", "savee"]
    values["train_front_end"]["init"] = "closed_form"
    values["train_fin"]["data"]["validation_frames"] = 80
    values["train_fin"] |= {
        name: {"steps": 400, "batch_size": 16, "learning_rate": 0.05} for name in ("rms", "zcr", "chroma", "mel", "mfcc")
    }
    values["evaluate_fin"]["frames"] = 300
    return validate(values | changes)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """As the steps have it."""
    start_torch()


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A miniature project: two corpora to learn from, one unseen, labels, split and front end."""
    folder = tmp_path_factory.mktemp("made") / "project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FINSER_CORES", "1")  # a session fixture comes before one_process
        split = write_corpus("ravdess", 3) + write_corpus("savee", 2) + write_corpus("esd", 2)
        layout.split("fins").parent.mkdir(parents=True)
        table = pa.Table.from_pylist(split, SCHEMA.with_metadata({"protocol": "fins"}))
        pq.write_table(table, layout.split("fins"))
        for corpus in ("ravdess", "savee", "esd"):
            labels.label(mini_params(), corpus)
        pool(mini_params())
        train_front_end(mini_params())
    return folder


@pytest.fixture(scope="module")
def project(made, tmp_path_factory):
    """A copy of the miniature project for each module; the tests run inside it."""
    folder = tmp_path_factory.mktemp("module") / "project"
    shutil.copytree(made, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield mini_params()


@pytest.fixture(scope="session")
def make_tone():
    """The audio behind each clip of the project."""
    return tone


@pytest.fixture(scope="session")
def make_params():
    """Parameters of the project, with changes."""
    return mini_params
