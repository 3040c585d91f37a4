"""docs/measured.md is what its files say."""

import runpy


def test_the_page_is_generated_from_its_files(pytestconfig, monkeypatch):
    monkeypatch.chdir(pytestconfig.rootpath)
    made = runpy.run_path("bench/measured.py")
    assert (pytestconfig.rootpath / "docs/measured.md").read_text(encoding="utf-8") == made["page"](), "run: python bench/measured.py"


def test_no_path_of_a_machine_is_in_it(pytestconfig):
    for path in (pytestconfig.rootpath / "docs/measured").rglob("*"):
        assert not path.is_file() or "/tmp/" not in path.read_text(encoding="utf-8"), path
