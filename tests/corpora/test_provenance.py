import pytest

from finser.config.sections.fetch import Download, Synthetic
from finser.corpora.known import registry
from finser.corpora.provenance import address_of, provenance

OPEN = Download(source="download")


@pytest.mark.parametrize("corpus", registry.CORPORA.values(), ids=lambda corpus: corpus.name)
def test_a_corpus_is_downloaded_or_fetched_by_hand(corpus):
    assert bool(corpus.published) != bool(corpus.how_to_get)
    assert (address_of(OPEN, corpus.name) is None) == bool(corpus.how_to_get)


def test_an_address_in_params_goes_before_the_publishers():
    mine = Download(source="download", address="file:///a.zip", checksum="md5:" + "0" * 32)
    assert address_of(mine, "ravdess") == "file:///a.zip" != address_of(OPEN, "ravdess")
    assert provenance(mine, "ravdess")["checksum"] == mine.checksum


def test_synthetic_speech_has_no_licence_of_the_corpus():
    said = provenance(Synthetic(), "ravdess")
    assert said["licence"].startswith("none: spoken by a synthesizer") and said["source"] == "synthetic" and "address" not in said
