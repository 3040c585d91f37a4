"""Stage `apply_fins`: the stored outputs are those of each FIN on each frame."""

import numpy as np
import pytest
import torch

from finser import layout
from finser.audio.frames import DIMENSIONS, frames, to_float
from finser.audio.shards import read_audio
from finser.features import store
from finser.fins.features import columns
from finser.fins.outputs import apply_fins
from finser.fins.store import load_fin


@pytest.mark.parametrize("feature", ["zcr", "chroma", "mfcc"])
def test_outputs_are_those_of_the_fin_alone(project, feature):
    fin = load_fin(layout.fin(feature))[0].eval()
    audio = list(read_audio(layout.shards("ravdess")))[5]
    stored = list(store.read(layout.features("fins", "ravdess")))[5]
    assert (stored.clip_id, stored.variant, stored.speaker) == (audio.clip_id, audio.variant, audio.speaker)
    with torch.no_grad():
        expected = fin(torch.from_numpy(to_float(frames(audio.audio)))).numpy()
    loud = frames(audio.audio).any(1)
    assert stored.values.shape == (len(expected), sum(DIMENSIONS.values()))
    assert stored.values[loud][:, columns(feature)] == pytest.approx(expected[loud], rel=1e-4, abs=1e-3)


def test_the_number_of_processes_changes_no_byte(project, params, monkeypatch):
    part = layout.features("fins", "ravdess") / "part-00000.arrow"
    before = part.read_bytes()
    monkeypatch.setenv("FINSER_CORES", "2")
    apply_fins(params, "ravdess")
    assert part.read_bytes() == before
    assert np.isfinite(next(iter(store.read(layout.features("fins", "ravdess")))).values).all()
