"""Own corpora from a table to the report, through Snakemake; the FINs of the built project are not trained again."""

import csv
import json
import re

import numpy as np
import pytest
import soundfile

from finser.corpora.recipes import emodb

SEVEN = ["neutral", "happy", "sad", "angry", "fear", "disgust", "boredom"]
FIN_STAGES = re.compile(r"train_(front_end|fin)|label@ravdess|augment@ravdess|resample@ravdess")


def sing(path, place: int, seed: int) -> None:
    """Write half a second of a tone whose pitch is that of its class."""
    rng = np.random.default_rng(seed)
    time = np.arange(8000) / 16_000
    wave = rng.uniform(0.1, 0.3) * np.sin(2 * np.pi * 200 * 1.3**place * time) * (1 + np.sin(2 * np.pi * rng.uniform(3, 6) * time)) / 2
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave + 0.003 * rng.standard_normal(len(time)), 16_000)


def write_table(folder, rows) -> None:
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "speaker", "emotion", "sex", "fold"][: len(rows[0])], *rows])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def added(project, name, table, *options):
    project.run("finser", "corpora", "add", name, str(table), "--only", *options)
    return project


def finished(project) -> tuple[str, dict]:
    """Run to the report; return it and the SVM's scores by protocol. No FIN was trained."""
    ran = project.ran_by(project.snakemake)
    assert not [command for command in ran if FIN_STAGES.match(command)]
    dry = project.snakemake("-n")
    assert "Nothing to be done" in dry.stdout + dry.stderr
    found = [json.loads(path.read_text()) for path in (project.root / "results/classifiers/svm").rglob("metrics.json")]
    return (project.root / "results/report.md").read_text(), {scores["protocol"]: scores for scores in found}


def test_a_corpus_of_seven_emotions_by_its_recipe(project, folder):
    """Boredom, which no published corpus has, and no surprise; ten speakers, a clip per speaker and emotion, and one left out."""
    seed = 0
    for speaker in emodb.SEX:
        for place, letter in enumerate(emodb.LABELS):
            sing(folder / f"wav/{speaker}a01{letter}a.wav", place, seed := seed + 1)
    project.run("finser", "corpora", "table", "emodb", str(folder), str(folder / "t.csv"))
    project.set("emotions", SEVEN)
    added(project, "emodb", folder / "t.csv", "--title", "EmoDB-like", "--licence", "made up")
    assert project.get("fetch.emodb.emotions") == {
        label: emotion for label, emotion in emodb.EMOTIONS.items() if label != emotion or label == "boredom"
    }
    report, scores = finished(project)
    assert "up to date" in project.dvc("status").stdout
    assert "EmoDB-like" in report and "made up" in report and "boredom" in report and "surprise" not in report and "calm" not in report
    assert scores["speaker"]["uar"] > 2 / 7 and scores["speaker"]["n_test"] == 14
    config = json.loads((project.root / "models/classifiers/svm/speaker/1/0/config.json").read_text())
    assert config["classes"] == SEVEN


def test_a_corpus_of_two_speakers(project, folder):
    """Too few to keep speakers apart in three parts: refused in one line under `speaker`, and run under `random`."""
    rows = []
    for number in range(48):
        sing(folder / f"{number}.wav", number % 4, number)
        rows.append([f"{number}.wav", f"s{number % 2}", ["anger", "joy", "sad", "neutral"][number % 4], ""])
    write_table(folder, rows)
    added(project, "two", folder / "t.csv").set("models", ["svm"])
    failed = project.snakemake(check=False)
    assert failed.returncode and "data/splits/speaker.parquet fold 1: no clips for validation" in failed.stderr + failed.stdout
    project.set("protocols", ["random"])
    report, scores = finished(project)
    assert "LEAKY" in report and scores["random"]["n_test_speakers"] == 2 and scores["random"]["uar"] > 0.5
    assert scores["random"]["uar_ci_low"] is None


def test_a_corpus_of_400_speakers_with_three_clips_each(project, folder):
    """Beside RAVDESS; split by speaker, and by the seven folds that its table states, where split.folds is 5."""
    rows = []
    for speaker in range(400):
        for clip in range(3):
            place = (speaker + clip) % 3
            heard = place if speaker % 9 else (place + 1) % 3  # a perfect score would have no interval
            sing(folder / f"s{speaker:03d}/{clip}.flac", heard, 3 * speaker + clip)
            rows.append(
                [f"s{speaker:03d}/{clip}.flac", f"s{speaker:03d}", ["angry", "sad", "happy"][place], "fm"[speaker % 2], 1 + speaker % 7]
            )
    write_table(folder, rows)
    project.run("finser", "corpora", "add", "many", str(folder / "t.csv"))
    for key, value in {"models": ["svm"], "protocols": ["speaker", "own"], "folds": [4]}.items():
        project.set(key, value)
    report, _ = finished(project)
    scores = json.loads((project.root / "results/summary/figures.json").read_text())
    for protocol, n_speakers in (("speaker", 80), ("own", 57)):
        found = scores[protocol]["svm"]["corpora"]
        assert set(found) == {"ravdess", "many"}
        many = found["many"]
        assert (many["n_test_speakers"], many["n_test"]) == (n_speakers, 3 * n_speakers) and 0.5 < many["uar"]["low"] < many["uar"]["value"]
    assert "| many | column fold | 57 |" in report and "- `own`: the parts are those that the tables" in report
