"""docs/measured.md is what its files say."""

import re
import runpy


def test_the_page_is_generated_from_its_files(pytestconfig, monkeypatch):
    monkeypatch.chdir(pytestconfig.rootpath)
    made = runpy.run_path("bench/measured.py")
    assert (pytestconfig.rootpath / "docs/measured.md").read_text(encoding="utf-8") == made["page"](), "run: python bench/measured.py"


def test_no_path_of_a_machine_is_in_it(pytestconfig):
    texts = [path.read_text(encoding="utf-8") for path in (pytestconfig.rootpath / "docs/measured").rglob("*") if path.is_file()]
    assert texts and not [text for text in texts if re.search(r"(?<![\w/])/(home|work|var|tmp|mnt|Users|root)/", text)]
