"""The command line: one line for whatever a user can cause."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from finser.config import presets
from finser.config.dump import dump
from finser.config.params import load

ROOT = Path(__file__).parents[1]
FINSER = Path(sys.executable).parent / "finser"


def finser(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([FINSER, *arguments], cwd=folder, capture_output=True, text=True, env={**os.environ, **environment})


@pytest.fixture
def root(tmp_path, copy_stages):
    (tmp_path / "params.yaml").write_text(dump(presets.tiny()))
    copy_stages(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "ravdes"], "unknown corpus 'ravdes'; expected one of ravdess; did you mean 'ravdess'?"),
        (["train_classifier", "svm", "speaker", "9", "0"], "unknown fold '9'"),
        (["train_classifier", "svm", "cross_corpus", "1", "0"], "unknown protocol 'cross_corpus'; expected one of speaker; add it there"),
        (["train_classifier", "svm", "speaker", "2", "0"], "unknown fold '2'; expected one of 1; add it there first"),
        (["compare_fin", "rms", "closed_form", "5"], "unknown seed '5'; expected one of 0"),
        (["train_classifier", "svm", "speaker", "x", "0"], "unknown fold 'x'; expected one of 1"),
        (["train_classifier", "svm", "speaker", "01", "0"], "unknown fold '01'; expected one of 1"),
        (["train_classifier", "svm", "speaker", "1", "7"], "unknown seed '7'"),
        (["train_classifier", "svm", "speaker", "1"], "Missing argument 'seed'"),
        (["evaluate_classifier", "svn", "speaker", "1"], "did you mean 'svm'?"),
        (["train_fin", "melt"], "unknown feature 'melt'; expected one of rms, zcr, chroma, mel, mfcc; did you mean 'mel'?"),
        (["nonsense"], "No such command"),
        ([], "Missing command"),
        (["preset", "nope"], "unknown preset 'nope'"),
        (["preset", "local", "/nowhere/at/all"], "/nowhere/at/all"),
        (["resample", "ravdess"], "data/clips/ravdess.parquet"),
        (["train_fin", "rms"], "data/pool/fins.json"),
        (["report"], "data/clips/ravdess.parquet"),
    ],
)
def test_mistakes_end_in_one_line(root, arguments, said):
    done = finser(root, *arguments)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, done.stderr
    assert said in lines[0]
    assert "Traceback" not in done.stderr
    assert not (root / "results").exists()


def test_outside_the_root(tmp_path):
    for arguments in (["check"], ["preset", "demo"], ["schema"]):
        done = finser(tmp_path, *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_commands_are_logged_with_how_they_went(root):
    finser(root, "resample", "ravdess", FINSER_CORES="2")
    (entry,) = [json.loads(line) for line in (root / "logs/commands.jsonl").read_text().splitlines()]
    assert (entry["stage"], entry["item"], entry["status"], entry["cores"]) == ("resample", ["ravdess"], "failed", 2)


def test_presets_keep_what_they_replace(root):
    (root / "params.yaml").write_text("mine: 1\n")
    assert finser(root, "preset", "demo").returncode == 0
    assert finser(root, "preset", "tiny").returncode == 0
    assert finser(root, "check").stdout.startswith("params.yaml is valid: preset tiny")
    assert (root / "params.yaml.bak").read_text() == "mine: 1\n"
    assert (root / "params.yaml.2.bak").read_text() == dump(presets.demo())


def test_params_are_printed_short_or_whole_and_read_back(root):
    (root / "params.yaml").write_text((root / "params.yaml").read_text() + "report: {title: Mine}\n")
    for option, n_lines in (([], 60), (["--resolved"], 150)):
        done = finser(root, "params", *option)
        assert done.returncode == 0 and len(done.stdout.splitlines()) > n_lines
        (root / "again.yaml").write_text(done.stdout)
        assert load(root / "again.yaml") == load(root / "params.yaml") and "Mine" in done.stdout
    assert "quality: HQ  # recipe of the SoX resampler (soxr)" in done.stdout


def test_a_file_of_the_earlier_format_is_refused_and_migrated(root):
    old = (ROOT / "tests/config/old/tiny.yaml").read_text()
    (root / "params.yaml").write_text(old)
    refused = finser(root, "check")
    assert refused.returncode == 1
    assert refused.stderr == "error: params.yaml: written for an earlier version of finser (initialise); run: finser migrate\n"
    done = finser(root, "migrate")
    assert done.returncode == 0 and "the old params.yaml is params.yaml.bak" in done.stdout
    assert (root / "params.yaml.bak").read_text() == old and not (root / "local.yaml").exists()
    assert (root / "params.yaml").read_text() == dump(presets.tiny())
    assert finser(root, "migrate").stderr == "error: params.yaml: has the present format already; nothing to migrate\n"


def test_help_lists_the_stages(root):
    done = finser(root, "--help")
    assert done.returncode == 0
    assert "train_front_end" in done.stdout and "Fetch CORPUS: synthesise, copy or download it" in done.stdout
    done = finser(root, "evaluate_classifier", "--help")
    assert done.returncode == 0
    for words in ("{model} {protocol} {fold}", "Evaluate MODEL over all its seeds", "one of protocols in params.yaml"):
        assert words in " ".join(done.stdout.split())


def test_help_imports_no_library_that_only_commands_need(root):
    """Half a second of CPU is what a person accepts."""
    names = "finser.config.params pydantic dvc numpy torch pyarrow scipy"
    code = f"import sys; from finser.cli import program; program(); print([name for name in {names.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_dvc_yaml_that_cannot_be_read_is_one_line(root):
    (root / "dvc.yaml").write_text((root / "dvc.yaml").read_text().replace("gpu: true", "gpus: 1", 1))
    done = finser(root, "check")
    assert done.returncode == 1
    assert done.stderr.startswith("error: dvc.yaml: stage embed: unknown key 'meta.gpus'") and done.stderr.count("\n") == 1


def test_corpora_are_listed_with_licence_and_state(root):
    done = finser(root, "corpora")
    assert done.returncode == 0
    for words in ("RAVDESS", "CREMA-D", "TESS", "SAVEE", "ESD", "CC BY-NC-SA 4.0", "not fetched"):
        assert words in done.stdout
