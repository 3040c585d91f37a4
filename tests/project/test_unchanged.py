"""What was edited while a stage ran is an error; what no job of the stage reads is not."""

import shutil
from pathlib import Path

import pytest

from finser.config import presets
from finser.config.dump import dump
from finser.errors import FinserError
from finser.project import unchanged

ROOT = Path(__file__).parents[2]
JOB = ("train_fin", ("zcr",))


@pytest.fixture
def project(tmp_path, monkeypatch, copy_stages):
    monkeypatch.chdir(tmp_path)
    copy_stages(tmp_path)
    Path("params.yaml").write_text(dump(presets.make("tiny")))
    for path, text in {
        "src/finser/fins/nets/zcr.py": "1",
        "src/finser/fins/train_fin.py": "1",
        "data/shards/ravdess/part-0.parquet": "1",
        "data/pool/fins.json": '{"data/shards/ravdess/part-0.parquet": "checksum"}',
        "data/splits/fins.parquet": "1",
    }.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    return tmp_path


def rate():
    text = Path("params.yaml").read_text()
    head, tail = text.split("\n  zcr:", 1)
    Path("params.yaml").write_text(head + "\n  zcr:" + tail.replace("learning_rate: 0.01", "learning_rate: 0.02", 1))


def code():
    Path("src/finser/fins/train_fin.py").write_text("2")


def data():
    Path("data/shards/ravdess/part-0.parquet").write_text("other")


def one_more():
    Path("data/pool/fins.json").write_text(
        '{"data/shards/ravdess/part-0.parquet": "checksum", "data/shards/ravdess/part-1.parquet": "new"}'
    )


def one_less():
    Path("data/splits/fins.parquet").unlink()


def nonsense():
    Path("params.yaml").write_text("train_fin: [")


@pytest.mark.parametrize("edit", [rate, code, data, one_more, one_less, nonsense], ids=lambda edit: edit.__name__)
def test_an_edit_of_what_the_job_reads_is_refused(project, edit):
    before = unchanged.snapshot(*JOB)
    edit()
    with pytest.raises(FinserError, match=r"^train_fin: changed while it ran: .*; its result is not recorded; run it again"):
        unchanged.check(before, *JOB)


def other_section():
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("c: 10.0", "c: 5.0"))


def litter():
    Path("src/finser/fins/.DS_Store").write_text("x")
    Path("src/finser/fins/__pycache__").mkdir()
    Path("src/finser/fins/__pycache__/zcr.pyc").write_text("x")


def nothing():
    pass


@pytest.mark.parametrize("edit", [other_section, litter, nothing], ids=lambda edit: edit.__name__)
def test_what_the_job_does_not_read_may_change(project, edit):
    before = unchanged.snapshot(*JOB)
    edit()
    unchanged.check(before, *JOB)


@pytest.mark.parametrize("name", ["zcr.py~", "#zcr.py#", "Thumbs.db", ".zcr.py.swp", ".ipynb_checkpoints/zcr-checkpoint.py"])
def test_litter_is_no_change(project, name):
    shutil.copy(ROOT / ".dvcignore", project)
    before = unchanged.snapshot(*JOB)
    Path("src/finser/fins", name).parent.mkdir(exist_ok=True)
    Path("src/finser/fins", name).write_text("litter")
    unchanged.check(before, *JOB)
