"""What dvc.yaml becomes for Snakemake, without running anything."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from finser.config import presets
from finser.config.dump import dump

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pipeline(tmp_path, monkeypatch, copy_stages):
    """The pipeline of a preset, by its name."""
    source = importlib.util.spec_from_file_location("pipeline", ROOT / "workflow/pipeline.py")
    module = importlib.util.module_from_spec(source)
    source.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    copy_stages(tmp_path)

    def of(preset: str, cores: int | None = None):
        Path("params.yaml").write_text(dump(presets.make(preset)))
        return module.Pipeline(cores=cores)

    return of


class Wildcards:
    def __init__(self, **values):
        self.__dict__.update(values)


@pytest.mark.parametrize(
    ("preset", "corpus", "cores", "threads"),
    [
        ("demo", "esd", 2, 1),
        ("demo", "crema_d", None, 1),
        ("paper", "esd", 8, 6),
        ("paper", "savee", 8, 1),
        ("paper", "savee", 1000, 5),
        ("tiny", "ravdess", 8, 1),
    ],
)
def test_cores_are_in_proportion_to_clips(pipeline, preset, corpus, cores, threads):
    """ESD has 35,000 of 47,162 clips; fewer than 100 clips are not worth a second worker."""
    assert pipeline(preset, cores).threads("augment")(Wildcards(corpus=corpus)) == threads


def test_only_networks_that_train_on_a_gpu_ask_for_one(pipeline, monkeypatch):
    made = pipeline("demo", 8)
    made.cards = 2
    asked = {model: made.gpu(Wildcards(model=model)) for model in ("svm", "mlp", "small_cnn", "ast", "fin_ensemble")}
    assert asked == {"svm": 0, "mlp": 0, "small_cnn": 1, "ast": 1, "fin_ensemble": 1}
    assert made.gpu(Wildcards(key="mel")) == 1 and made.gpu(Wildcards(trunk="small_cnn")) == 1
    made.cards = 0
    assert made.gpu(Wildcards(model="ast")) == 0


@pytest.mark.parametrize(("visible", "cards"), [("", 0), ("-1", 0), ("0", 1), ("1,3", 2)])
def test_cards_are_those_that_jobs_may_see(pipeline, monkeypatch, visible, cards):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert pipeline("demo", 8).cards == cards


def test_the_rules_that_ask_for_a_gpu_are_the_stages_that_use_one():
    from finser.cli import ON_GPU

    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert set(re.findall(r"rule (\w+):(?:(?!\nrule ).)*?gpu=dvc\.gpu", rules, flags=re.DOTALL)) == ON_GPU


def test_wildcards_are_those_of_the_rule(pipeline):
    """compare_fin has a seed axis of its own, and `key` stands in three stages."""
    made = pipeline("demo")
    assert made.wildcards("train_fin") == {"key": "rms|zcr|chroma|mel|mfcc"}
    assert "svm" in made.wildcards("prepare_classifier")["key"].split("|")
    assert made.wildcards("fetch_weights") == {"key": "(?!)"}, "no name at all"


def test_a_stage_that_reads_a_folder_follows_the_lists_that_fill_it(pipeline):
    """What is dropped from such a list must make the stage stale, so that it removes the dropped outputs before DVC records it."""
    made = pipeline("demo")
    lists = {"corpus": "corpora", "model": "models", "fusion": "fusions", "protocol": "protocols", "fold": "folds", "seed": "seeds"}
    for name in made.stages:
        if name in (
            "report",
            "prepare_fine_tuning",
            "pretrain",
        ):  # the one depends on all of params.yaml, the other's trunks are of the section's own
            continue
        for item in made.items(name)[:1]:
            for dep in made.paths(name, item, "deps"):
                inside = made.below.get(dep, [])
                makers = {made.makers[out].split("@")[0] for out in inside}
                axes = {axis for maker in makers for axis in made.axes(maker) if axis in lists}
                free = axes - set(item)
                followed = {key.split(".")[0] for key in made.paths(name, item, "params")}
                assert {lists[axis] for axis in free} <= followed, f"{name} reads {dep}"


def test_outputs_of_a_folder_dependency_are_named(pipeline):
    deps = pipeline("demo").deps("split", {"protocol": "speaker"})
    assert {f"data/clips/{corpus}.parquet" for corpus in ("ravdess", "crema_d", "tess", "savee", "esd")} <= set(deps)


def test_every_output_has_one_maker(pipeline):
    made = pipeline("demo")
    outs = [out for name in made.stages for item in made.items(name) for out in made.outs(name, item)]
    assert len(outs) == len(set(outs)) == len(made.makers)


def test_no_profile_asks_for_a_gpu_in_place_of_the_rules():
    """A profile's set-resources would overrule that SVM and MLP need none."""
    for profile in (ROOT / "workflow/profiles").glob("*/config.yaml"):
        resources = yaml.safe_load(profile.read_text()).get("set-resources", {})
        assert not [rule for rule, asked in resources.items() if "gpu" in asked], profile


@pytest.mark.parametrize(
    "target", ["results/report.md", "./results/report.md", "results//report.md", "data/clips/../clips/ravdess.parquet"]
)
def test_a_target_may_be_written_as_any_path(pipeline, target):
    pipeline("tiny")._check_target(target)
