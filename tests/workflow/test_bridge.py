"""One graph, two engines: what must hold whichever of them runs, counted in commands that really ran."""

import csv
import json
import random
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

ENGINES = ("snakemake", "dvc")


def users_of_mel(project) -> list[str]:
    """What must run when only the mel FIN's settings change."""
    protocols, folds = project.get("protocols"), project.get("folds")
    jobs = [
        "train_fin@mel",
        "train_fin@mfcc",
        "evaluate_fin@mel",
        "evaluate_fin@mfcc",
        "evaluate_compared",
        "apply_fins@ravdess",
        "prepare_fine_tuning@fin_ensemble",
        "summarise",
        "report",
    ]
    places = [f"fin_ensemble-{protocol}-{fold}" for protocol in protocols for fold in folds]
    jobs += [f"train_classifier@{place}-{seed}" for place in places for seed in project.get("seeds")]
    return sorted(jobs + [f"evaluate_classifier@{place}" for place in places])


def test_clean_build_runs_every_stage_once_and_satisfies_both(built):
    jobs = built.dvc("stage", "list", "--name-only").stdout.split()
    assert sorted(built.commands()) == sorted(jobs)
    built.assert_clean()


def test_dvc_shows_every_metric(built):
    """DVC shows nothing of a JSON file that is a list."""
    shown = json.loads(built.dvc("metrics", "show", "--json").stdout)[""]["data"]
    stages = yaml.safe_load((built.root / "dvc.yaml").read_text())["stages"].values()
    folders = {Path(path.split("$")[0]).parts[:2] for stage in stages for path in stage.get("do", stage).get("metrics", ())}
    assert folders == {Path(path).parts[:2] for path in shown} | {("results", "fusions")}  # `tiny` has no fusion
    assert all(metric["data"] for metric in shown.values()), shown


def test_one_learning_rate_there_and_back(project):
    text, before = (project.root / "params.yaml").read_text(), project.get("train_fin.mel.learning_rate")
    project.set("train_fin.mel.learning_rate", before / 2)
    assert project.ran_by(project.snakemake) == users_of_mel(project)
    project.assert_clean()
    project.set("train_fin.mel.learning_rate", before)
    ran = project.ran_by(lambda: project.dvc("repro", "-q"))
    assert ran in ([], ["report"]), "only the report may see that the file was rewritten"
    (project.root / "params.yaml").write_text(text)
    assert project.ran_by(lambda: project.dvc("repro", "-q")) == [], "restored to the letter"
    project.assert_clean()


def test_a_seed_and_a_protocol_added_run_only_what_is_new(project):
    project.set("seeds", [0, 1])
    project.set("protocols", ["speaker", "random"])
    ran = project.ran_by(project.snakemake)
    models, places = project.get("models"), [("speaker", 1), ("random", 0), ("random", 1)]
    jobs = [f"train_classifier@{model}-{protocol}-1-{seed}" for model in models for protocol, seed in places]
    jobs += [f"evaluate_classifier@{model}-{protocol}-1" for model in models for protocol in ("speaker", "random")]
    jobs += [f"prepare_classifier@{model}" for model in project.get("train_classifier")]  # it follows the first seed; no byte changes
    assert ran == sorted([*jobs, "split@random", "noisy@random-1", "summarise", "report"])
    assert "LEAKY: the same speakers are in several parts" in (project.root / "results/report.md").read_text()
    project.assert_clean()


def test_another_preset_and_back_runs_nothing(project):
    """What the other preset left is taken away, and everything of this one comes from the cache."""
    text, before = (project.root / "params.yaml").read_text(), project.hashes()
    project.set("corpora", ["ravdess", "savee"])
    project.set("fetch.savee", {"source": "synthetic", "speakers": 3, "clips_per_emotion": 1})
    project.run("snakemake", "--cores", "2", "data/splits/speaker.parquet", "data/labels/savee")
    assert (project.root / "data/labels/savee").exists()
    (project.root / "params.yaml").write_text(text)
    assert project.ran_by(project.snakemake) == []
    assert not (project.root / "data/labels/savee").exists()
    assert {path: md5 for path, md5 in project.hashes().items() if path in before} == before
    project.assert_clean()


def test_data_deleted_then_checked_out(project):
    shutil.rmtree(project.root / "data")
    project.dvc("checkout", "-q")
    project.assert_clean()


def test_timestamps_and_records_of_snakemake_mean_nothing(project):
    shutil.rmtree(project.root / ".snakemake")
    paths = [path for folder in ("data", "models", "results") for path in sorted((project.root / folder).rglob("*")) if path.is_file()]
    random.Random(0).shuffle(paths)
    for path in paths:
        path.touch()
    project.assert_clean()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_changed_or_deleted_by_hand_is_restored_without_running(project, engine):
    victims = [project.root / path for path in ("data/clips/ravdess.parquet", "models/fins/rms/model.safetensors", "results/report.md")]
    before = [victim.read_bytes() for victim in victims]
    for victim in victims[:2]:
        victim.write_bytes(b"tampered")
    victims[2].unlink()
    for folder in ("data/labels", "models/initial"):
        shutil.rmtree(project.root / folder)
    assert project.ran_by(lambda: project.build(engine)) == []
    assert [victim.read_bytes() for victim in victims] == before
    project.assert_clean()


@pytest.mark.parametrize("engine", ENGINES)
def test_source_edit_that_changes_no_output_stops_there(project, engine):
    with (project.root / "src/finser/audio/resample.py").open("a") as source:
        source.write("# a remark\n")
    assert project.ran_by(lambda: project.build(engine)) == sorted(f"resample@{corpus}" for corpus in project.get("corpora"))
    project.assert_clean()


def test_clone_and_pull(project, tmp_path):
    clone = project.pushed_and_cloned(tmp_path)
    assert not (clone.root / "results/report.md").exists()
    clone.dvc("pull", "-q")
    clone.assert_clean()
    assert clone.commands() == []


def test_experiment_with_one_parameter(project):
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "results")
    ran = project.ran_by(lambda: project.dvc("exp", "run", "-q", "-S", "++train_classifier.svm.c=3.0"))
    jobs = ["prepare_classifier@svm", "train_classifier@svm-speaker-1-0", "evaluate_classifier@svm-speaker-1", "summarise", "report"]
    assert ran == sorted(jobs), "the setting reaches only that classifier"
    project.assert_clean()


def test_the_documented_search_runs_in_copies_of_the_project(project):
    """The commands of docs/classifiers.md, of another model; what was found then comes from the cache."""
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "results")
    text = (project.root / "docs/classifiers.md").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line.startswith("dvc exp ")]
    commands = [shlex.split(line.replace("small_cnn", "svm").replace("learning_rate=0.001,0.002,0.004", "c=0.01,3.0")) for line in lines]
    assert [command[2] for command in commands] == ["run", "run", "show"]
    for command in commands[:2]:
        project.run(*command)
    rows = list(csv.reader(project.run(*commands[2], "--csv").stdout.splitlines()))
    assert [name.split(":")[-1] for name in rows[0]] == ["Experiment", "validation_uar", "train_classifier.svm.c"]
    found = [(float(value), float(c)) for name, value, c in rows[1:] if name]
    assert sorted(c for _, c in found) == [0.01, 3.0] and found[0][0] > found[1][0], "the best first"
    assert project.get("train_classifier.svm") == {"model": "svm"}
    project.set("train_classifier.svm.c", 3.0)
    assert project.ran_by(lambda: project.dvc("repro", "-q", "train_classifier@svm-speaker-1-0")) == []


def test_a_mistyped_target_fails_at_once(project):
    done = project.run("snakemake", "--cores", "1", "models/fins/mell", check=False)
    assert done.returncode != 0
    assert "models/fins/mell" in done.stderr
    assert not (project.root / "models/fins/mell").exists()


def test_git_sees_nothing_that_a_stage_made(project):
    project.run("git", "add", "-A")
    tracked = project.run("git", "ls-files", "data", "models", "results").stdout.split()
    assert tracked == ["data/README.md", "results/README.md", "results/fusions/README.md"]
