"""Pages of docs that are generated from files of measurements are what these say."""

import json
import re
import runpy


def test_the_page_is_generated_from_its_files(pytestconfig, monkeypatch):
    monkeypatch.chdir(pytestconfig.rootpath)
    made = runpy.run_path("bench/measured.py")
    assert (pytestconfig.rootpath / "docs/measured.md").read_text(encoding="utf-8") == made["page"](), "run: python bench/measured.py"


def test_no_path_of_a_machine_is_in_it(pytestconfig):
    texts = [path.read_text(encoding="utf-8") for path in (pytestconfig.rootpath / "docs/measured").rglob("*") if path.is_file()]
    assert texts and not [text for text in texts if re.search(r"(?<![\w/])/(home|work|var|tmp|mnt|Users|root)/", text)]


def test_the_speed_of_encoders_is_what_its_file_says(pytestconfig):
    made = runpy.run_path(str(pytestconfig.rootpath / "bench/encoders.py"))
    text = (pytestconfig.rootpath / "docs/encoders.md").read_text(encoding="utf-8")
    found = json.loads((pytestconfig.rootpath / "docs/encoder_speed.json").read_text())
    assert made["page"](text, found) == text, "run: python bench/encoders.py"


def test_what_is_said_of_open_smile_is_what_its_file_says(pytestconfig):
    made = runpy.run_path(str(pytestconfig.rootpath / "bench/open_smile.py"))
    text = (pytestconfig.rootpath / "docs/features.md").read_text(encoding="utf-8")
    found = json.loads((pytestconfig.rootpath / "docs/open_smile.json").read_text())
    assert made["page"](text, found) == text, "run: python bench/open_smile.py"


def test_the_overhead_on_a_cluster_is_what_its_file_says(pytestconfig):
    made = runpy.run_path(str(pytestconfig.rootpath / "bench/cluster.py"))
    text = (pytestconfig.rootpath / "docs/cluster.md").read_text(encoding="utf-8")
    found = json.loads((pytestconfig.rootpath / "docs/cluster_overhead.json").read_text())
    assert made["page"](text, found) == text, "run: python bench/cluster.py"
