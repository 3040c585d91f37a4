"""Stage `features`: what is stored is what the representation's function gives of every row, in any number of processes."""

import numpy as np
import pytest

from finser import layout
from finser.audio.shards import read_aligned
from finser.features import store
from finser.features.extract import extractor, features
from finser.features.rows import Row


@pytest.mark.parametrize("representation", ["statistics", "filter_banks"])
def test_every_wanted_row_is_there_with_its_values(project, params, representation):
    module = extractor(representation)
    stored = list(store.read(layout.features(representation, "ravdess")))
    wanted = params.variants if representation == "statistics" else params.features.filter_bank_variants
    pairs = [pair for pair in read_aligned(layout.shards("ravdess"), layout.labels("ravdess")) if pair[0].variant in wanted]
    for (audio, label), row in zip(pairs, stored, strict=True):
        assert (row.clip_id, row.variant, row.speaker, row.emotion) == (audio.clip_id, audio.variant, audio.speaker, audio.emotion)
        expected = module.of_row(Row(audio.clip_id, audio.variant, audio.audio, label.features))
        assert np.array_equal(row.values, expected) and expected.shape[1] == module.DIM


def test_the_number_of_processes_changes_no_byte(project, params, monkeypatch):
    part = layout.features("statistics", "ravdess") / "part-00000.arrow"
    before = part.read_bytes()
    monkeypatch.setenv("FINSER_CORES", "2")
    features(params, "ravdess", "statistics")
    assert part.read_bytes() == before
