import pytest

from finser import synthetic
from finser.config.sections.fetch import Download, Synthetic
from finser.corpora.counts import expected_count, planned
from finser.corpora.known import registry


def test_expected_counts():
    source = Download(source="download")
    assert [expected_count(source, name) for name in registry.CORPORA] == [1440, 7442, 2800, 480, 35000]
    assert expected_count(source, "esd", {"esd/0011", "esd/0020"}) == 17500
    assert expected_count(source, "esd", {"esd/0011", "esd/0010"}) == 35000
    assert 0 < expected_count(Synthetic(speakers=2, clips_per_emotion=2), "savee") <= 32


@pytest.mark.parametrize("corpus", registry.CORPORA)
def test_the_planned_number_of_clips_is_that_of_the_plan(corpus):
    sizes = [Synthetic(speakers=speakers, clips_per_emotion=count) for speakers in range(1, 25) for count in range(1, 61)]
    assert [planned(size, corpus) for size in sizes] == [len(synthetic.plan(size, corpus)) for size in sizes]
