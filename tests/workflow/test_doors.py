"""Whichever door one comes in by, a bad params.yaml or a bad corpus ends in one clear line and a status that is not 0."""

import shutil
import subprocess

import pytest
import soundfile

from .conftest import copy_of_the_source


@pytest.fixture
def fresh(tmp_path):
    return copy_of_the_source(tmp_path / "project")


def error_lines(done: subprocess.CompletedProcess) -> list[str]:
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error:")]


@pytest.mark.parametrize("door", [("finser", "fetch", "ravdess"), ("snakemake", "--cores", "1", "results/report.md")])
def test_typo_in_a_key(fresh, door):
    path = fresh.root / "params.yaml"
    path.write_text(path.read_text().replace("learning_rate:", "learning_rte:", 1))
    done = fresh.run(*door, check=False)
    assert done.returncode != 0
    assert error_lines(done) == ["error: params.yaml: unknown key 'reference_fin.learning_rte'; did you mean 'learning_rate'?"]
    assert not (fresh.root / "data/raw").exists()


@pytest.mark.parametrize("section", ["train_front_end", "trian_front_end"])
def test_typo_by_the_door_of_dvc(project, section):
    """A typo in a section that some stage follows, and one in a section that none follows."""
    path = project.root / "params.yaml"
    before = project.hashes()
    path.write_text(path.read_text() + f"{section}x: 1\n")
    done = project.dvc("repro", check=False)
    assert done.returncode != 0
    assert len(error_lines(done)) == 1
    assert f"unknown key '{section}x'" in error_lines(done)[0]
    assert project.hashes() == before


def local_ravdess(project, tmp_path):
    """A folder with a few valid RAVDESS clips to spoil, of three speakers, the fewest that a corpus may have."""
    corpus = tmp_path / "corpora" / "RAVDESS"
    actors = sorted((project.root / "data/raw/ravdess").glob("Actor_*"))[:3]
    for actor in actors:
        (corpus / actor.name).mkdir(parents=True)
        for source in sorted(actor.glob("*.wav"))[:4]:
            shutil.copy(source, corpus / actor.name)
    return corpus


def first_clip(corpus):
    return sorted(corpus.glob("*/*.wav"))[0]


def spoil_empty(corpus):
    for actor in corpus.iterdir():
        shutil.rmtree(actor)


def spoil_truncated(corpus):
    clip = first_clip(corpus)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])


def spoil_pointer(corpus):
    first_clip(corpus).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def spoil_emotion(corpus):
    clip = first_clip(corpus)
    parts = clip.stem.split("-")
    clip.rename(clip.with_name("-".join([*parts[:2], "09", *parts[3:]]) + ".wav"))


@pytest.mark.parametrize("spoil", [spoil_empty, spoil_truncated, spoil_pointer, spoil_emotion], ids=lambda spoil: spoil.__name__[6:])
def test_bad_corpus_is_one_clear_line_and_nothing_half_written(project, tmp_path, spoil):
    spoil(local_ravdess(project, tmp_path))
    done = project.run("finser", "preset", "local", str(tmp_path / "corpora"), "--allow-partial", check=False)
    if not done.returncode:  # what the preset cannot see, fetch or index must
        shutil.rmtree(project.root / "data")
        done = project.run("snakemake", "--cores", "2", "data/clips/ravdess.parquet", check=False)
        assert not (project.root / "data/clips/ravdess.parquet").exists()
    assert done.returncode != 0
    (line,) = set(error_lines(done))
    assert "ravdess" in line.lower() or "03-01-" in line
    assert not list((project.root / "data").rglob(".partial-*"))


def test_good_partial_corpus_is_indexed(project, tmp_path):
    corpus = local_ravdess(project, tmp_path)
    assert soundfile.info(first_clip(corpus)).frames > 0
    project.run("finser", "preset", "local", str(tmp_path / "corpora"), "--allow-partial")
    done = project.run("snakemake", "--cores", "2", "data/clips/ravdess.parquet")
    assert not error_lines(done)
