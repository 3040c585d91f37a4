"""docs/params.md: every key of every kind of section, no default that is a page long."""

import re

import pytest

from finser.config.params import json_schema
from finser.config.schema_docs import markdown
from finser.config.sections.classifiers import KINDS
from finser.config.sections.fetch import SOURCES


@pytest.fixture(scope="module")
def sections() -> dict[str, list[str]]:
    """Heading (with its marks) to the keys of its table."""
    parts = re.split(r"^(#+ .+)$", markdown(json_schema()), flags=re.MULTILINE)[1:]
    return {
        head: re.findall(r"^\| \*{,2}(\w+)\*{,2} \|", body, re.MULTILINE)[1:] for head, body in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.mark.parametrize(("kinds", "name"), [(KINDS, "train_classifier"), (SOURCES, "fetch")])
def test_every_kind_has_a_heading_and_every_key_of_it_a_line(sections, kinds, name):
    headings = list(sections)
    place = headings.index(f"## {name}")
    later = [head for head in headings[place + 1 :] if head.startswith("## ")]
    below = headings[place + 1 : headings.index(later[0]) if later else None]
    assert [head for head in below if head.startswith("### ")] == [f"### {kind}" for kind in kinds]
    for kind, model in kinds.items():
        inner = [key for key in model.model_fields if f"#### {kind}.{key}" in sections]
        assert sections[f"### {kind}"] == [key for key in model.model_fields if key not in inner]


def test_sections_within_a_kind_are_tables_of_their_own(sections):
    for kind in ("shallow_cnn", "small_cnn", "resnet18"):
        assert sections[f"#### {kind}.log_mel"] == ["bands", "trim_db", "range_db", "center", "crop_frames"]
        assert "time_width" in sections[f"#### {kind}.augment"]


def test_entries_of_a_section_by_name_are_tables_of_their_own(sections):
    assert sections["## fetch_weights.NAME"][:2] == ["source", "family"]
    assert sections["## fuse_classifiers.NAME"] == ["members", "method"]


def test_keys_that_files_must_hold_are_marked_and_sections_of_two_maps_are_described_once(sections):
    text = markdown(json_schema())
    assert "| **confidence** | number" in text and "| **variants** | list of" in text and "| preset | string" in text
    assert "## fine_tune" in text and text.count("### svm\n") == 1 and "one of the kinds of `train_classifier`" in text


def test_no_default_is_a_page_long(sections):
    text = markdown(json_schema())
    assert "train_classifier" not in sections["## Top level"]
    assert max(len(default) for default in re.findall(r"`([^`\n]*)`", text)) < 120
    assert "| width | integer, >= 3, a multiple of 3 |" in text
    assert "| pairs | list of pair of string | `[]` |" in text
