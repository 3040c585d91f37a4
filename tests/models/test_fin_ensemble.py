"""The temporal network: padding that does not matter, crops, what learns in which arm."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from finser import layout
from finser.audio.frames import DIMENSIONS, frames, to_float
from finser.config.sections.classifiers import FinEnsemble, SpectrogramAugment
from finser.features.log_mel import CollateFrames
from finser.features.rows import Row
from finser.fins.features import N_FEATURES
from finser.fins.store import load_fin
from finser.models import begin, load
from finser.models.fin_ensemble import CollateWaves, Head, as_clip, deviations
from finser.models.network import predict

FINS = {"rms": 20, "zcr": 89, "chroma": 13_056, "mel": 2_953, "mfcc": 2_580}  # own weights; MFCC stands on a mel FIN of its own
FRONT_END = 37_952


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return (1000 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.int16)


def clip_of(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return as_clip(Row("c", "original", samples, {}), FinEnsemble(trim_db=0))


def random_features(n_frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((n_frames, seed)).normal(size=(n_frames, N_FEATURES)).astype(np.float32)


def collate() -> CollateFrames:
    return CollateFrames(np.zeros(N_FEATURES, np.float32), np.ones(N_FEATURES, np.float32), "cmn")


def head() -> Head:
    torch.manual_seed(0)
    return Head(8, 8, "attention", 0.0).eval()


def test_padding_does_not_change_a_clips_logits():
    net, clips = head(), [random_features(n) for n in (1, 7, 40, 90)]
    together = net(*collate()(clips, None))
    alone = torch.cat([net(*collate()([clip], None)) for clip in clips])
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_clips_own_level_does_not_matter():
    """The clip's mean is taken away, so a constant offset of any feature changes nothing."""
    net, clip = head(), random_features(50)
    assert torch.allclose(net(*collate()([clip], None)), net(*collate()([clip + 3], None)), atol=1e-4)


def test_scale_is_the_deviation_within_clips():
    clips = [np.random.default_rng(n).normal(10 * n, 3, size=(500 + 1500 * n, N_FEATURES)).astype(np.float32) for n in range(3)]
    clips = [np.hstack([clip[:, :-1], np.full((len(clip), 1), 5, np.float32)]) for clip in clips]
    scale = deviations(clips)
    centred = np.concatenate([clip - clip.mean(0, dtype=np.float64) for clip in clips])
    assert scale[:-1] == pytest.approx(np.sqrt((centred[:, :-1] ** 2).mean(0)), rel=1e-4) and scale[-1] == 1


@pytest.mark.parametrize("n_frames", [1, 20, 24, 25, 40])
def test_training_crops_are_frames_and_features_of_one_place_within_the_clip(n_frames):
    samples = noise(512 * n_frames - 1)
    clip = (np.pad(samples, 1024), np.repeat(np.arange(n_frames, dtype=np.float32)[:, None], N_FEATURES, 1))
    starts, count = set(), min(n_frames, 24)
    for seed in range(120):
        waves, given, keep, counts = CollateWaves(24)([clip], np.random.default_rng(seed))
        assert given.shape == keep.shape == (1, 24, N_FEATURES) and counts.tolist() == [count] and waves.shape == (1, 512 * 23 + 2048)
        first = int(given[0, 0, 0])
        assert torch.equal(given[0, :count, 0], torch.arange(first, first + count).float()) and not given[0, count:].any()
        cut = waves[0].unfold(0, 2048, 512)[:count]
        assert torch.equal(cut, torch.from_numpy(to_float(frames(samples)[first : first + count].copy())))
        assert keep[0, :count].all() and not keep[0, count:].any()
        starts.add(first)
    assert starts == set(range(max(n_frames - 23, 1))), "crops begin wherever they fit"


def test_masks_are_drawn_in_training_only():
    masks = SpectrogramAugment(speed_fraction=0, noise_fraction=0, band_masks=2, time_masks=2)
    clip, drawing = clip_of(noise(512 * 40)), CollateWaves(24, masks)
    share = np.mean([float(drawing([clip], np.random.default_rng(seed))[2].mean()) for seed in range(40)])
    assert 0.2 < share < 0.9
    assert drawing([clip], None)[2].sum() == 41 * N_FEATURES


@pytest.mark.parametrize("fins", [tuple(DIMENSIONS), ("rms", "mel")])
def test_what_both_learn_from_is_what_is_predicted_from(project, fins):
    """The arm `tuned` validates on samples, and predicts from features that are computed before: with the same logits."""
    options = FinEnsemble(arm="tuned", fins=fins, channels=8)
    classifier = begin(options, (0,), 8)
    classifier.receive(project / "models")
    given = [np.zeros((0, N_FEATURES), np.float32) if len(fins) == 5 else 0.1 * random_features(n // 512 + 1) for n in (5000, 9000, 20_000)]
    for features in given:
        for feature in fins if len(features) else ():
            features[:, slice(*{"rms": (0, 1), "mel": (34, 162)}[feature])] = 0
    clips = [(np.pad(noise(n, n), 1024), features) for n, features in zip((5000, 9000, 20_000), given, strict=True)]
    of_waves = predict(classifier.net, clips, CollateWaves(), 2)
    assert classifier.probabilities(clips) == pytest.approx(of_waves, abs=1e-5)
    assert np.ptp(of_waves, axis=0).max() > 1e-3, "the clips differ"


@pytest.mark.parametrize("arm", ["librosa", "frozen", "tuned", "formula", "uninitialised"])
def test_what_learns_is_what_the_arm_says(project, params, altered, run, arm):
    fins = () if arm == "librosa" else tuple(DIMENSIONS)
    figures = run(altered("fin_ensemble", arm=arm, fins=fins, epochs=1, variants=("original",)), "fin_ensemble")
    channels = params.classifiers["fin_ensemble"].channels
    convolutions = 5 * (162 + 2 * channels) * channels + 3 * 2 * channels
    of_head = convolutions + (channels * 64 + 64) + (64 + 1) + (2 * channels * 8 + 8)
    below = FRONT_END + sum(FINS.values()) + FINS["mel"] if arm in ("tuned", "formula", "uninitialised") else 0
    assert figures["params"] == of_head + below
    folder = layout.classifier("fin_ensemble", "speaker", 1, 0)
    assert (folder / "fins").exists() == bool(fins)
    for feature in fins:
        before = load_file(layout.fin(feature) / "model.safetensors")
        after = load_file(folder / "fins" / feature / "model.safetensors")
        assert before.keys() == after.keys() and all(np.isfinite(weights).all() for weights in after.values())
        moved = {name for name in before if not np.array_equal(before[name], after[name])}
        assert bool(moved) == (arm != "frozen")
        load_fin(folder / "fins" / feature)  # what was saved is a FIN like any other
    assert figures["n_test_speakers_heard_by_fins"] == 0


def test_tuned_mixtures_move_their_own_fins_and_keep_no_others(project, altered, run):
    run(altered("fin_ensemble", arm="tuned", fins=("zcr", "mel"), epochs=1, variants=("original",)), "fin_ensemble")
    folder = layout.classifier("fin_ensemble", "speaker", 1, 0)
    assert {path.name for path in (folder / "fins").iterdir()} == {"zcr", "mel"}
    for feature in ("zcr", "mel"):
        before, after = (load_fin(place)[0].state_dict() for place in (layout.fin(feature), folder / "fins" / feature))
        assert any(not torch.equal(before[name], after[name]) for name in before)
        assert max(float((before[name] - after[name]).abs().max()) for name in before) < 0.1, "they begin as they were"


def test_frames_are_weighted_by_a_net_under_attention_only():
    """Linear 8 -> 64, Linear 64 -> 1, with their biases."""
    attention, statistics = (begin(FinEnsemble(channels=8, pooling=pooling), (0,), 8).n_params for pooling in ("attention", "statistics"))
    assert attention - statistics == (8 * 64 + 64) + (64 + 1)


@pytest.mark.parametrize(("arm", "fins"), [("uninitialised", tuple(DIMENSIONS)), ("librosa", ())])
def test_what_needs_no_trained_fins_reads_none(project, altered, run, arm, fins):
    layout.fin("mel").parent.rename(project / "elsewhere")
    figures = run(altered("fin_ensemble", arm=arm, fins=fins, epochs=1, variants=("original",)), "fin_ensemble")
    assert figures["n_test_speakers_heard_by_fins"] == 0
    classifier, config = load(layout.classifier("fin_ensemble", "speaker", 1, 0))
    assert classifier.n_params == config["params"] and config["begin"].startswith("random")


def test_the_formula_replaces_all_weights_and_says_so(project, altered, run):
    """Training begins at the formula, whatever the FINs have learned, and moves every net of the preset's arm from there."""
    given = ("rms", "chroma", "mfcc", "mel")
    run(altered("fin_ensemble", arm="formula", fins=given, epochs=1, variants=("original",)), "fin_ensemble")
    folder = layout.classifier("fin_ensemble", "speaker", 1, 0) / "fins"
    for feature in given:
        (saved, config), begun = load_fin(folder / feature), load_fin(layout.fin(feature))[0]
        for module in begun.modules():
            if hasattr(module, "closed_form"):
                module.closed_form()
        before = begun.state_dict()
        assert config["init"] == "closed_form"
        far = {name: float((before[name] - weights).abs().max()) for name, weights in saved.state_dict().items()}
        assert 0 < max(far.values()) < 0.1, "they begin at the formula, and learn"
