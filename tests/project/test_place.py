"""Where finser refuses to work, before anything runs."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from finser.errors import FinserError
from finser.project.place import check_git, check_lock, check_place

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plain_project_is_accepted(project):
    (project / "data").mkdir()
    check_place()


def test_outside_of_a_project(project):
    (project / "dvc.yaml").unlink()
    with pytest.raises(FinserError, match="no dvc.yaml here"):
        check_place()


@pytest.mark.parametrize("name", ["data", "models", "results"])
def test_a_link_to_another_disk_is_refused(project, tmp_path_factory, name):
    (project / name).symlink_to(tmp_path_factory.mktemp("scratch"))
    with pytest.raises(FinserError, match=rf"^{name}: a link to .*dvc cache dir PATH"):
        check_place()


def test_a_folder_without_git_is_told_what_to_do(project):
    (project / ".git").rmdir()
    with pytest.raises(FinserError, match="run: git init$"):
        check_git()
    (project / ".dvc").mkdir()
    (project / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    check_git()


def test_a_command_runs_the_code_of_the_project_that_it_is_called_in(project):
    """The finser of another copy starts again with the code that lies here."""
    own = project / "src/finser"
    own.mkdir(parents=True)
    (own / "__init__.py").write_text("")
    (own / "__main__.py").write_text("print('the code of this copy')")
    code = "from finser.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code, "check"], cwd=project, env=environment, capture_output=True, text=True)
    assert done.stdout == "the code of this copy\n"


def test_a_lock_that_dvc_is_writing_is_not_cut_short(project):
    path = project / "dvc.lock"
    path.write_text("")
    writer = Timer(0.7, path.write_text, ["schema: '2.0'\n"])
    writer.start()
    check_lock()
    writer.join()


@pytest.mark.parametrize("text", ["", "schema: '2.0'\nstages:\n  split@speaker:\n    md5: "])
def test_a_lock_that_is_cut_short_is_one_line(project, text):
    check_lock()
    (project / "dvc.lock").write_text("schema: '2.0'\n")
    check_lock()
    (project / "dvc.lock").write_text(text)
    with pytest.raises(FinserError, match="dvc.lock: cut short: .*; git checkout dvc.lock, or remove it, and run again"):
        check_lock()
