"""The preset `encoders`, in small, from a hub on loopback to the report; the FINs of the built project are not trained again."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from finser import layout
from finser.audio.shards import read_audio
from finser.config import presets
from finser.config.dump import dump
from finser.config.params import Params
from finser.config.sections.classifiers import ClassifierSection
from finser.features import store
from finser.files import checksum, read_json

from ..encoders import tiny
from ..encoders.fake_hub import Hub, hub
from .conftest import Project

pytestmark = pytest.mark.xdist_group("encoders")  # so that one worker builds the project of this file
ENCODERS = ("byol_s", "wav2vec2_base", "whisper_base")  # of the preset: an address, a hub's pickle, a hub's safetensors
ADDED = "hubert_base"
MODELS = {"wav2vec2_base": "wav2vec2", "whisper_base": "whisper", ADDED: "hubert"}  # encoder -> random model, as its family is called
PICKLED = "wav2vec2_base"
BYOL_S = "test/byol_s"
FROM_TINY = ("corpora", "pooled", "folds", "fetch", "train_front_end", "train_fin", "evaluate_fin", "compare_fin", "reference_fin")
SHORT = {"small_cnn": {"epochs": 1, "width": 6}, "fin_ensemble": {"epochs": 1, "channels": 16}}
NOT_AGAIN = ("fetch@", "label@", "train_front_end", "train_fin@", "compare_fin@", "reference_fin@")
JOB = "-speaker-1"


@dataclass
class Served(Project):
    """A project whose commands talk to a hub on loopback."""

    hub: Hub

    def run(self, *command: str, **options) -> subprocess.CompletedProcess:
        ours = {"HF_ENDPOINT": self.hub.address, "HF_HOME": str(self.root / "hub"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": ""}
        return super().run(*command, env={**ours, **options.pop("env", {})}, **options)

    def config(self, encoder: str) -> dict:
        return read_json(self.root / layout.weights(encoder) / "config.json")


def repository(folder: Path, name: str) -> dict[str, bytes]:
    """Return the files of a random model, as its publisher's hub has them."""
    model = tiny.published(MODELS[name])
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "sampling_rate": 16_000}))
    if name == PICKLED:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Hub]:
    """A hub with a repository of each encoder, and a checkpoint of BYOL-S."""
    folder = tmp_path_factory.mktemp("published")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        torch.save(tiny.Net().state_dict(), folder / "byol_s.pth")
    with hub() as running:
        running.repositories[BYOL_S] = {"byol_s.pth": (folder / "byol_s.pth").read_bytes()}
        running.repositories |= {f"test/{name}": repository(folder / name, name) for name in MODELS}
        yield running


def of_encoders(names: tuple[str, ...], encoders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names without those of heads and fusions on other encoders of the preset."""
    others = tuple(f"{name}_" for name in presets.FROZEN if name not in encoders)
    return tuple(name for name in names if not name.startswith(others))


def shortened(name: str, section: ClassifierSection) -> ClassifierSection:
    """Return a section with few epochs, or a probe with one value of C."""
    of_kind = {"epochs": 2} if section.by_gradient else {"c": (0.01,)} if section.needs_encoder else {}
    return section.model_copy(update=SHORT.get(name, of_kind))


def small(encoders: tuple[str, ...], weights: dict[str, dict]) -> Params:
    """The preset on some of its encoders, with the corpus and the FINs of `tiny`, short trainings, and `weights`."""
    preset, tiny_preset = presets.encoders(), presets.tiny()
    sections = {
        place: {name: shortened(name, section) for name, section in getattr(preset, place).items() if of_encoders((name,), encoders)}
        for place in ("train_classifier", "fine_tune")
    }
    fusions = of_encoders(preset.fusions, encoders)
    changed = {
        **{name: getattr(tiny_preset, name) for name in FROM_TINY},
        **sections,
        "models": of_encoders(preset.models, encoders),
        "features": preset.features.model_copy(update={"encoders": encoders}),
        "fusions": fusions,
        "fuse_classifiers": {name: preset.fuse_classifiers[name] for name in fusions},
        "summarise": {"pairs": tuple(pair for pair in preset.summarise.pairs if of_encoders(pair, encoders) == pair)},
        "fetch_weights": {name: weights[name] for name in encoders},
    }
    return Params.model_validate({**preset.model_dump(), **changed})


@pytest.fixture(scope="module")
def weights(server, tmp_path_factory) -> dict[str, dict]:
    """Sections of fetch_weights that name the server."""
    archive = tmp_path_factory.mktemp("archive") / "byol_s.pth"
    archive.write_bytes(server.repositories[BYOL_S]["byol_s.pth"])
    address = f"{server.address}/cdn/{BYOL_S}/resolve/main/byol_s.pth"
    on_hub = {name: {"source": "hub", "repo": f"test/{name}", "family": kind} for name, kind in MODELS.items()}
    return {**on_hub, "byol_s": {"source": "download", "family": "byol_s", "address": address, "sha256": checksum(archive)}}


@pytest.fixture(scope="module")
def encoded(built, server, weights, tmp_path_factory) -> Served:
    """The preset, by Snakemake. The tests below use it one after the other, and leave it complete."""
    project = Served(tmp_path_factory.mktemp("encoded") / "project", server)
    subprocess.run(["cp", "-a", "--reflink=auto", built.root, project.root], check=True)
    (project.root / "params.yaml").write_text(dump(small(ENCODERS, weights)))
    ran = project.ran_by(project.snakemake)
    assert not [command for command in ran if command.startswith(NOT_AGAIN)], "as in `tiny`"
    return project


def of_head(name: str) -> set[str]:
    """Return the jobs of a classifier."""
    return {f"prepare_fine_tuning@{name}", f"train_classifier@{name}{JOB}-0", f"evaluate_classifier@{name}{JOB}"}


def test_statistics_are_of_every_clip(encoded):
    clips = [row.clip_id for row in read_audio(encoded.root / layout.shards("ravdess")) if row.variant == "original"]
    for encoder in ENCODERS:
        rows = list(store.read(encoded.root / layout.features(encoder, "ravdess")))
        assert len(clips) == 40 and [row.clip_id for row in rows] == clips
        layers, statistics, dim = (5, 3, 512) if encoder == "byol_s" else (4, 2, 32)
        assert {row.values.shape for row in rows} == {(layers, statistics * dim)}


def test_the_report_has_a_row_of_each_head_and_each_fusion(encoded):
    report = (encoded.root / "results/report.md").read_text()
    for name in (f"{encoder}_{kind}" for encoder in ENCODERS for kind in ("probe", "mlp", "fused")):
        assert [line for line in report.splitlines() if line.startswith("|") and f"`{name}`" in line], name


def test_weights_are_recorded_with_commit_and_checksum(encoded, server, tmp_path):
    for encoder, file in (("wav2vec2_base", "pytorch_model.bin"), ("whisper_base", "model.safetensors")):
        (tmp_path / file).write_bytes(server.repositories[f"test/{encoder}"][file])
        found = encoded.config(encoder)["origin"]
        assert (found["commit"], found["file"], found["sha256"]) == (server.commit(f"test/{encoder}"), file, checksum(tmp_path / file))
    assert encoded.config("byol_s")["origin"]["sha256_from"] == "params.yaml"


def test_a_second_run_does_nothing_and_asks_no_server(encoded, server):
    server.asked.clear()
    server.status = 503
    try:
        assert encoded.ran_by(encoded.snakemake) == []
        encoded.assert_clean()
    finally:
        server.status = 0
    assert not server.asked


def test_an_edit_of_an_encoders_section_makes_what_depends_on_it_stale(encoded):
    """A pin of the commit that `main` has gives the same weights with another origin: classifiers on other encoders do not run again."""
    text, name = (encoded.root / "params.yaml").read_text(), "wav2vec2_base"
    encoded.set(f"fetch_weights.{name}.revision", encoded.config(name)["origin"]["commit"])
    stale = json.loads(encoded.dvc("status", "--json").stdout)
    assert set(stale) == {f"fetch_weights@{name}", "report"}, "the report depends on params.yaml itself"
    (encoded.root / "params.yaml").write_text(text)
    assert "up to date" in encoded.dvc("status").stdout


def test_a_new_encoder_runs_what_belongs_to_it_and_is_fetched_alone(encoded, server, weights):
    """By DVC. Preparations follow the list of checksums, and fusions all results: they write what they wrote before."""
    server.asked.clear()
    (encoded.root / "params.yaml").write_text(dump(small((*ENCODERS, ADDED), weights)))
    ran = set(encoded.ran_by(lambda: encoded.dvc("repro", "-q")))
    own = {f"fetch_weights@{ADDED}", f"embed@ravdess-{ADDED}", f"fuse_classifiers@{ADDED}_fused{JOB}"}
    own |= of_head(f"{ADDED}_probe") | of_head(f"{ADDED}_mlp")
    assert own <= ran
    again = {"pool", "noisy", "prepare_classifier", "prepare_fine_tuning", "fuse_classifiers", "summarise", "report"}
    assert {job.split("@")[0] for job in ran - own} <= again, "no classifier is trained or tested again"
    assert {name for name in server.repositories if any(name in path for _, path, _ in server.asked)} == {f"test/{ADDED}"}
    stages = yaml.safe_load((encoded.root / "dvc.lock").read_text())["stages"]
    assert f"train_classifier@{ADDED}_mlp{JOB}-0" in stages and "up to date" in encoded.dvc("status").stdout
