"""README.md takes its results from the report, and from nowhere else."""

import pytest

from finser.errors import FinserError
from finser.report.readme import update

REPORT = "# Title\n\n<!-- summary:begin -->\n> notice\n\n| model | UAR |\n| :-- | --: |\n| SVM | .480 |\n<!-- summary:end -->\n\n## Rest\n"
README = "# finser\n\n<!-- results:begin -->\nold\n<!-- results:end -->\n\n## Licences\n"


@pytest.fixture
def files(tmp_path):
    readme, report = tmp_path / "README.md", tmp_path / "report.md"
    readme.write_text(README)
    report.write_text(REPORT)
    return readme, report


def test_only_the_text_between_the_markers_changes(files):
    update(*files)
    summary = "> notice\n\n| model | UAR |\n| :-- | --: |\n| SVM | .480 |"
    assert files[0].read_text() == README.replace("old", summary)


def test_twice_is_once(files):
    update(*files)
    once = files[0].read_text()
    update(*files)
    assert files[0].read_text() == once


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("damage", [None, "no marker", REPORT + REPORT + README + README, "<!-- results:end --><!-- results:begin -->"])
def test_missing_or_doubled_markers_leave_the_readme_as_it_was(files, which, damage):
    if damage is None:
        files[which].unlink()
    else:
        files[which].write_text(damage)
    before = files[0].read_text() if files[0].exists() else None
    with pytest.raises(FinserError, match=files[which].name):
        update(*files)
    assert (files[0].read_text() if files[0].exists() else None) == before


def test_the_committed_readme_has_the_markers(pytestconfig):
    text = (pytestconfig.rootpath / "README.md").read_text()
    assert text.index("<!-- results:begin -->") < text.index("<!-- results:end -->")
