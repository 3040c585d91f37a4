"""The temporal network: shared front ends, padding that does not matter, crops."""

import numpy as np
import pytest
import torch

from finser import layout
from finser.classifiers.fin_ensemble import N_FEATURES, Fins, Head, collate_features, collate_waves
from finser.fins.store import load_fin
from finser.frames import frames, to_float
from finser.shards import DIMENSIONS


def load_fins() -> dict[str, torch.nn.Module]:
    return {feature: load_fin(layout.fin(feature))[0] for feature in DIMENSIONS}


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return (1000 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.int16)


def test_features_are_those_of_the_five_fins_and_the_front_end_runs_once(project):
    apart, fins = load_fins(), Fins(load_fins())
    assert len(fins.shared) == 1
    calls = []
    fins.shared[0].module.register_forward_hook(lambda *_: calls.append(1))
    clip = noise(9000)
    raw = torch.from_numpy(to_float(frames(clip).copy()))
    with torch.no_grad():
        found = fins(raw)
        expected = {feature: fin(raw) for feature, fin in apart.items()}
    assert calls == [1]
    assert torch.allclose(found[:, :1], expected["rms"].log())
    assert torch.allclose(found[:, 34:], 10 * expected["mel"].clamp_min(1e-10).log10(), atol=1e-4)
    for feature, first, last in (("zcr", 1, 2), ("chroma", 2, 14), ("mfcc", 14, 34)):
        assert torch.allclose(found[:, first:last], expected[feature], atol=1e-4)


def test_different_front_ends_stay_apart(project):
    fins = load_fins()
    with torch.no_grad():
        fins["chroma"].front_end.window += 0.1
    assert len(Fins(fins).shared) == 2


def test_frames_of_waves_are_the_frames_of_the_contract(project):
    fins, clip = Fins(load_fins()), noise(300_000)  # longer than one piece of frames
    with torch.no_grad():
        of_wave = fins.of_waves(collate_waves([clip], None, round_to=1)[0])[0]
        of_frames = fins(torch.from_numpy(to_float(frames(clip).copy())))
    assert of_wave.shape == (300_000 // 512 + 1, N_FEATURES)
    assert torch.allclose(of_wave, of_frames, atol=1e-3)


def test_padding_does_not_change_a_clips_logits():
    torch.manual_seed(0)
    head = Head(8, 0.0).eval()
    clips = [np.random.default_rng(n).normal(size=(n, N_FEATURES)).astype(np.float32) for n in (1, 7, 40, 90)]
    together = head(*collate_features(clips, None))
    alone = torch.cat([head(*collate_features([clip], None, round_to=1)) for clip in clips])
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_clips_own_level_does_not_matter():
    """The clip's mean is taken away, so a constant offset of any feature changes nothing."""
    head = Head(8, 0.0).eval()
    clip = np.random.default_rng(0).normal(size=(50, N_FEATURES)).astype(np.float32)
    assert torch.allclose(head(*collate_features([clip], None)), head(*collate_features([clip + 3], None)), atol=1e-4)


def test_scale_is_the_deviation_within_clips():
    clips = [np.random.default_rng(n).normal(10 * n, 3, size=(2000, N_FEATURES)).astype(np.float32) for n in range(3)]
    clips = [np.hstack([clip[:, :-1], np.full((2000, 1), 5, np.float32)]) for clip in clips]
    head = Head(8, 0.0)
    head.scale_by(clips)
    assert head.scale[:-1].numpy() == pytest.approx(3, rel=0.05) and head.scale[-1] == 1


@pytest.mark.parametrize("n_frames", [1, 20, 24, 25, 100])
def test_training_crops_lie_within_the_clip(n_frames):
    clip = np.arange(n_frames, dtype=np.float32)[:, None] * np.ones((1, N_FEATURES), np.float32)
    starts = set()
    for seed in range(60):
        batch, counts = collate_features([clip], np.random.default_rng(seed), crop=24)
        count = int(counts[0])
        assert batch.shape == (1, 24, N_FEATURES) and count == min(n_frames, 24)
        first = batch[0, 0, 0].item()
        assert torch.equal(batch[0, :count, 0], torch.arange(first, first + count)) and not batch[0, count:].any()
        starts.add(first)
    assert len(starts) == 1 if n_frames <= 24 else len(starts) > 1


def test_both_collates_draw_the_same_crops():
    clip = noise(512 * 60)
    waves, counts = collate_waves([clip], np.random.default_rng(3), crop=24)
    features, same = collate_features([np.tile(np.arange(61.0)[:, None], N_FEATURES).astype(np.float32)], np.random.default_rng(3), crop=24)
    first = int(features[0, 0, 0])
    assert torch.equal(counts, same)
    assert torch.equal(waves[0].unfold(0, 2048, 512), torch.from_numpy(to_float(frames(clip)[first : first + 24])))


def test_silence_gives_finite_gradients(project):
    fins = Fins(load_fins()).requires_grad_(True)
    fins.of_waves(torch.zeros(2, 2048 + 512 * 3)).sum().backward()
    assert all(parameter.grad is None or torch.isfinite(parameter.grad).all() for parameter in fins.parameters())
