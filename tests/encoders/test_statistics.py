"""Statistics of clips: equal to NumPy's on the hidden states, for long clips and in batches, too."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finser import encoders
from finser.encoders import statistics
from finser.encoders.base import RATE, windows
from finser.encoders.sound import sound_of
from finser.encoders.statistics import Sums, batches, of_clips
from finser.errors import FinserError

from . import tiny

KINDS = [*tiny.KINDS, "byol_s"]


def expected(encoder: encoders.Encoder, clip: np.ndarray) -> np.ndarray:
    """Return the statistics over the frames of all windows, by NumPy, float64."""
    layers: list[list[np.ndarray]] = [[] for _ in range(encoder.n_layers)]
    for window in windows(sound_of(clip), encoder.shortest, encoder.window):
        count = torch.tensor([len(window)])
        with torch.no_grad():
            states = encoder(torch.from_numpy(encoder.prepare(window))[None], count)
        for layer, state in zip(layers, states, strict=True):
            layer.append(state[0, : int(encoder.n_frames(count))].double().numpy())
    whole = [np.concatenate(layer) for layer in layers]
    functions = {"mean": np.mean, "sd": np.std, "max": np.max}
    return np.stack([np.concatenate([functions[name](layer, axis=0) for name in encoder.STATISTICS]) for layer in whole])


@pytest.mark.parametrize("name", KINDS)
def test_statistics_are_numpys_over_the_frames_of_the_hidden_states(tmp_path, name):
    tiny.write(tmp_path, name)
    encoder, clip = encoders.load(tmp_path), tiny.clip(30_000)
    (found,) = of_clips(encoder, [clip])
    assert found.dtype == np.float16 and found.shape == (encoder.n_layers, len(encoder.STATISTICS) * encoder.dim)
    np.testing.assert_allclose(found.astype(np.float64), expected(encoder, clip), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", KINDS)
def test_a_clip_has_the_same_statistics_alone_and_among_others(tmp_path, name, monkeypatch):
    """A GPU puts windows of similar length into one batch."""
    tiny.write(tmp_path, name)
    encoder = encoders.load(tmp_path)
    clips = [tiny.clip(n, n) for n in (22_050, 30_123, 8_000, 22_050, 41_000)]
    alone = [of_clips(encoder, [clip])[0] for clip in clips]
    monkeypatch.setitem(statistics.BUDGET, "cpu", 60.0)
    sizes = [len(batch) for batch in batches([len(sound_of(clip)) for clip in clips], encoder)]
    assert max(sizes) > 1 and (len(sizes) == 1) == encoder.masks_padding
    for one, other in zip(of_clips(encoder, clips), alone, strict=True):
        np.testing.assert_allclose(one.astype(float), other.astype(float), atol=1e-3, rtol=2e-3)


@pytest.mark.parametrize("name", ["wav2vec2", "whisper", "byol_s"])
def test_a_long_clip_is_encoded_in_windows(tmp_path, name, monkeypatch):
    tiny.write(tmp_path, name)
    encoder = encoders.load(tmp_path)
    monkeypatch.setattr(encoder, "window", 100 * 320)
    clip, lengths = tiny.clip(100_000), []
    monkeypatch.setattr(type(encoder), "prepare", _counting(type(encoder).prepare, lengths))
    (found,) = of_clips(encoder, [clip])
    assert sorted(lengths) == sorted([32_000, 32_000, len(sound_of(clip)) - 64_000])
    np.testing.assert_allclose(found.astype(float), expected(encoder, clip), rtol=2e-3, atol=2e-3)


def _counting(prepare, lengths: list[int]):
    def counted(self, samples):
        lengths.append(len(samples))
        return prepare(self, samples)

    return counted


@pytest.mark.parametrize("name", KINDS)
def test_silence_and_a_very_short_clip_have_finite_statistics(tmp_path, name):
    tiny.write(tmp_path, name)
    encoder = encoders.load(tmp_path)
    for clip in (np.zeros(22_050, np.int16), tiny.clip(40)):
        assert np.isfinite(of_clips(encoder, [clip])[0]).all()


def test_a_value_beyond_float16_is_an_error(tmp_path):
    tiny.write(tmp_path, "wavlm_large")
    encoder = encoders.load(tmp_path)
    encoder.net.encoder.layer_norm.weight.data.fill_(1e6)
    with pytest.raises(FinserError, match="a hidden state does not fit in float16; expected values up to 65,504") as caught:
        of_clips(encoder, [tiny.clip(22_050)])
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), masks=st.booleans())
def test_batches_hold_every_window_once_and_respect_the_budget(data, masks):
    lengths = data.draw(st.lists(st.integers(1, 30), max_size=25))
    encoder = encoders.build({"family": "byol_s"})
    encoder.masks_padding = masks
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(statistics.BUDGET, "cpu", 60 / RATE)
        found = list(batches(lengths, encoder))
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(lengths[place] for place in batch)
        assert len(batch) == 1 or len(batch) * longest <= 60
        assert masks or len({lengths[place] for place in batch}) == 1


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), parts=st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_sums_of_parts_give_the_statistics_of_the_whole(seed, parts):
    frames = np.random.default_rng(seed).normal(3, 2, (sum(parts), 2, 5))  # (frames, layers, dim)
    pieces = np.split(frames, np.cumsum(parts)[:-1])
    sums = [Sums(len(one), one.sum(0), (one**2).sum(0), one.max(0)) for one in pieces]
    total = sums[0]
    for other in sums[1:]:
        total.add(other)
    wanted = np.hstack([frames.mean(0), frames.std(0), frames.max(0)])
    np.testing.assert_allclose(total.statistics(("mean", "sd", "max")), wanted, atol=1e-7)
