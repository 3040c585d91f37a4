import re
from pathlib import Path

import pytest

from finser.config.base import PublishedCorpus
from finser.corpora.known import registry
from finser.emotions import EMOTIONS
from finser.errors import FinserError


def test_the_registry_has_the_corpora_of_the_schema():
    assert tuple(registry.CORPORA) == PublishedCorpus.__args__


@pytest.mark.parametrize("corpus", registry.CORPORA.values(), ids=lambda corpus: corpus.name)
def test_what_is_known_is_consistent(corpus):
    assert corpus.emotions == tuple(emotion for emotion in EMOTIONS if emotion in corpus.emotions)
    assert len(set(corpus.speakers)) == len(corpus.speakers)
    tested = [speaker for fold in corpus.folds for speaker in fold]
    assert len(set(tested)) == len(tested)
    assert set(tested) <= set(corpus.speakers)
    assert corpus.licence
    assert corpus.home.startswith("http")


@pytest.mark.parametrize("corpus", registry.CORPORA.values(), ids=lambda corpus: corpus.name)
def test_the_documentation_says_the_same(corpus):
    text = (Path(__file__).parents[3] / "docs" / "corpora.md").read_text()
    (row,) = re.findall(rf"^\| {corpus.title}\b.* (?:downloaded|manual) \|$", text, flags=re.MULTILINE)
    for known in (corpus.licence, f"{corpus.clips:,}", f" {len(corpus.speakers)}", "manual" if corpus.how_to_get else "downloaded"):
        assert known in row
    assert re.findall("|".join(EMOTIONS), row) == list(corpus.emotions)
    assert corpus.home in text
    assert not corpus.size or f"{corpus.size:,}" in text
    assert registry.get("ravdess").published.checksum in text


def test_a_mistyped_name_gets_advice():
    with pytest.raises(FinserError, match="did you mean 'ravdess'"):
        registry.get("ravdes")
