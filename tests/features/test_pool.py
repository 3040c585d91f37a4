"""Checksums of what trainings read."""

import hashlib
from pathlib import Path

import pytest

from finser import layout
from finser.errors import FinserError
from finser.features.pool import checksums, of_folders, pool, read, verify


def test_the_pool_lists_every_file_of_its_corpora_and_no_other(project, params):
    listed = read("classifiers")
    folders = [layout.shards("ravdess"), layout.labels("ravdess")]
    folders += [layout.features(name, "ravdess") for name in ("statistics", "filter_banks", "byol_s")]
    assert set(listed) == {path.as_posix() for folder in folders for path in folder.iterdir()}
    assert all(hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha for path, sha in listed.items())
    assert set(read("fins")) == {path.as_posix() for folder in folders[:2] for path in folder.iterdir()}


def test_a_corpus_beside_the_pool_changes_nothing(project, params):
    before = {name: layout.pool(name).read_bytes() for name in ("classifiers", "fins")}
    (layout.shards("esd")).mkdir()
    (layout.shards("esd") / "part-00000.parquet").write_bytes(b"esd")
    pool(params)
    assert before == {name: layout.pool(name).read_bytes() for name in before}


def test_another_file_is_refused(project):
    listed = of_folders(read("classifiers"), [layout.labels("ravdess")], layout.pool("classifiers"))
    verify(listed, layout.pool("classifiers"))
    path = Path(next(iter(listed)))
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(FinserError, match="not the file that data/pool/classifiers.json lists"):
        verify(listed, layout.pool("classifiers"))
    path.unlink()
    with pytest.raises(FinserError, match="found nothing"):
        verify(listed, layout.pool("classifiers"))


def test_a_folder_that_is_not_listed_is_refused(project):
    with pytest.raises(FinserError, match="lists nothing in data/labels/tess"):
        of_folders(read("classifiers"), [layout.labels("tess")], layout.pool("classifiers"))
    assert checksums([layout.labels("tess")]) == {}


@pytest.mark.parametrize("text", ["[]", '{"data/labels/ravdess/part-00000.parquet": 1}', "3"])
def test_nonsense_is_one_line(project, text):
    layout.pool("fins").write_text(text)
    with pytest.raises(FinserError, match=r"data/pool/fins\.json: no list of checksums; .*; run: dvc repro"):
        read("fins")
