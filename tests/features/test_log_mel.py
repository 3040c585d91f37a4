"""Log-mel spectrograms against librosa: trimming, bands, speed, noise; masks, statistics and batches against their definition."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finser.audio.frames import SR, to_float
from finser.config.sections.classifiers import LogMel, SpectrogramAugment
from finser.features.labels import features
from finser.features.log_mel import (
    FLOOR_DB,
    MARGIN,
    ROUND_TO,
    CollateFrames,
    add_noise_db,
    log_mel,
    masks,
    n_frames_after,
    resample_crops,
    sounding,
    statistics,
)
from finser.features.rows import Row
from finser.training.batches import alike

PLAIN = SpectrogramAugment(speed_fraction=0, noise_fraction=0, band_masks=0, time_masks=0)


def row_of(samples: np.ndarray) -> Row:
    return Row("clip", "original", None, features(samples))


def noise(n_samples: int, seed: int = 0, level: float = 3000) -> np.ndarray:
    return np.round(level * np.random.default_rng(seed).standard_normal(n_samples)).clip(-32768, 32767).astype(np.int16)


def numbered(n_frames: int, bands: int = 64) -> np.ndarray:
    """A clip whose every frame says which it is."""
    return np.repeat(np.arange(n_frames, dtype=np.float32)[:, None], bands, 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6000), st.floats(0, 60)), min_size=1, max_size=6), st.sampled_from([10.0, 30.0, 50.0]))
def test_ends_are_cut_as_by_librosa_but_for_the_margin(pieces, top_db):
    samples = np.concatenate([noise(length, length, 3000 * 10 ** (-below / 20)) for length, below in pieces])
    _, (first, end) = librosa.effects.trim(to_float(samples), top_db=top_db, frame_length=2048, hop_length=512)
    kept = sounding(features(samples)["rms"][:, 0], top_db)
    assert kept.start == max(first // 512 - MARGIN, 0)
    assert kept.stop - MARGIN == -(-end // 512) or end == len(samples)
    options = LogMel(trim_db=top_db)
    assert len(log_mel(row_of(samples), options)) == min(kept.stop, len(samples) // 512 + 1) - kept.start


def test_silence_is_kept_whole_and_zero_db_cut_nothing():
    silence = np.zeros(5000, np.int16)
    assert sounding(features(silence)["rms"][:, 0], 30) == slice(None)
    assert np.array_equal(log_mel(row_of(silence), LogMel()), np.full((10, 64), FLOOR_DB, np.float32))
    ends = np.concatenate([np.zeros(20_000, np.int16), noise(5000)])
    assert len(log_mel(row_of(ends), LogMel(trim_db=0))) == 25_000 // 512 + 1
    assert len(log_mel(row_of(ends), LogMel())) < 20


@pytest.mark.parametrize("bands", [32, 64, 128])
def test_adjacent_bands_of_librosas_128_are_averaged_in_power(bands):
    samples = noise(9000)
    power = librosa.feature.melspectrogram(y=to_float(samples), sr=SR).T  # (t, 128)
    expected = [[np.mean(frame[band * 128 // bands : (band + 1) * 128 // bands]) for band in range(bands)] for frame in power]
    found = log_mel(row_of(samples), LogMel(bands=bands, trim_db=0))
    assert found.dtype == np.float32
    assert found == pytest.approx(10 * np.log10(np.maximum(expected, 1e-8)), abs=1e-3)


def change_speed(clip: np.ndarray, factor: float) -> np.ndarray:
    """The whole clip, played `factor` times as fast."""
    length = int(n_frames_after([clip], np.array([factor]))[0])
    (changed,), (count,) = resample_crops([clip], np.array([factor]), np.array([0]), length)
    assert count == length
    return changed


def mask(clip: np.ndarray, options: SpectrogramAugment, rng: np.random.Generator) -> np.ndarray:
    """The clip with masked cells of zero."""
    return np.where(masks((1, *clip.shape), np.array([len(clip)]), options, rng)[0], 0, clip)


def vowel(seconds: float = 1.0) -> np.ndarray:
    """Harmonics of a voice that glides from 110 to 220 Hz under two formants, and that breathes."""
    time = np.arange(int(SR * seconds)) / SR
    pitch = 110 * 2 ** (time / seconds)
    phase = 2 * np.pi * np.cumsum(pitch) / SR
    wave = np.zeros_like(time)
    for harmonic in range(1, 41):
        at = harmonic * pitch
        gain = np.exp(-(((at - 700) / 300) ** 2)) + 0.5 * np.exp(-(((at - 1800) / 400) ** 2)) + 0.02
        wave += gain * np.cos(harmonic * phase) * (at < 8000)
    return 0.1 * wave * (1 + 0.5 * np.sin(2 * np.pi * 3 * time))


def as_mel(wave: np.ndarray) -> np.ndarray:
    return log_mel(row_of(np.round(32_767 * wave).astype(np.int16)), LogMel(trim_db=0))


def breath() -> np.ndarray:
    """A second of noise under two formants that move towards each other."""
    spectrum = librosa.stft(np.random.default_rng(0).standard_normal(SR))  # (1025, t)
    at, time = librosa.fft_frequencies(sr=SR, n_fft=2048)[:, None], np.linspace(0, 1, spectrum.shape[1])
    gain = np.exp(-(((at - 500 - 400 * time) / 250) ** 2)) + 0.3 * np.exp(-(((at - 2000 + 500 * time) / 500) ** 2)) + 0.001
    return 0.1 * librosa.istft(spectrum * gain, length=SR)


# between the harmonics of a voice a line in dB lies below what is there: they are narrower than the bands
@pytest.mark.parametrize(("sound", "tolerance"), [(breath, 1.0), (vowel, 2.6)])
@pytest.mark.parametrize("factor", [0.85, 0.93, 1.08, 1.17])
def test_speed_is_that_of_the_signal_played_so_fast(factor, sound, tolerance):
    wave = sound()
    played = librosa.resample(wave, orig_sr=SR * factor, target_sr=SR, res_type="soxr_hq")
    expected, found = as_mel(played), change_speed(as_mel(wave), factor)
    assert abs(len(found) - len(expected)) <= 1
    n = min(len(found), len(expected))
    loud = expected[:n] > expected.max() - 25
    error = np.abs(found[:n] - expected[:n])[loud]
    unchanged = np.abs(librosa.util.fix_length(as_mel(wave), size=n, axis=0) - expected[:n])[loud]
    assert np.median(error) < tolerance and np.mean(error) < 0.4 * np.mean(unchanged)


def test_a_tone_moves_to_the_band_of_its_new_frequency():
    time = np.arange(SR) / SR
    tone, faster = (as_mel(0.3 * np.sin(2 * np.pi * at * time)) for at in (2000, 2000 * 1.15))
    assert change_speed(tone, 1.15)[20].argmax() == pytest.approx(faster[20].argmax(), abs=1)


def test_speed_one_changes_nothing_and_slower_has_nothing_above_half_the_rate():
    clip = as_mel(vowel(0.3))
    assert change_speed(clip, 1.0) == pytest.approx(clip, abs=1e-4)
    slow = change_speed(np.zeros((50, 64), np.float32), 0.8)
    assert (slow[:, -1] == FLOOR_DB).all() and (slow[:, 0] == 0).all() and slow.shape == (62, 64)
    fast = change_speed(np.zeros((50, 64), np.float32), 1.25)
    assert fast.shape == (40, 64) and not fast.any()
    assert change_speed(np.zeros((1, 64), np.float32), 2.0).shape == (1, 64)


@pytest.mark.parametrize("below", [20.0, 40.0])
def test_noise_has_the_level_asked_for(below):
    clip = np.full((400, 64), FLOOR_DB, np.float32)
    clip[7, 3] = -12
    (noisy,) = add_noise_db(clip[None], np.array([-12 - below]), np.random.default_rng(0))
    assert noisy.dtype == np.float32 and noisy[7, 3] == pytest.approx(-12, abs=0.2)
    power = 10 ** (np.delete(noisy, 7, 0) / 10)
    assert 10 * np.log10(power.mean()) == pytest.approx(-12 - below, abs=0.1)
    assert 10 * np.log10(power.mean(0)) == pytest.approx(np.full(64, -12 - below), abs=0.6)
    assert power.std() / power.mean() == pytest.approx(3**-0.5, abs=0.02), "a gamma distribution of shape 3"


def test_a_batch_has_noise_relative_to_each_clips_loudest_cell():
    clips = [np.full((30, 64), FLOOR_DB, np.float32), np.full((30, 64), FLOOR_DB, np.float32)]
    clips[0][0, 0], clips[1][0, 0] = -10, -30
    drawing = CollateFrames(
        np.zeros(64, np.float32), np.ones(64, np.float32), "clip", 30, SpectrogramAugment(speed_fraction=0, noise_fraction=1)
    )
    batch, _ = drawing._crops(clips, np.random.default_rng(0))
    levels = 10 * np.log10((10 ** (batch[:, 1:] / 10)).mean((1, 2)))
    assert np.all((levels > [-67.5, -87.5]) & (levels < [-31.5, -51.5])), levels


def test_white_noise_really_has_the_same_power_in_every_band():
    mel = 10 ** (log_mel(row_of(noise(SR * 20)), LogMel(trim_db=0)) / 10)
    assert 10 * np.log10(mel.mean(0)[1:] / mel.mean()) == pytest.approx(np.zeros(63), abs=0.5)


def runs(flags: np.ndarray) -> list[int]:
    """Lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return (edges[1::2] - edges[::2]).tolist()


@given(st.integers(1, 60), st.integers(0, 3), st.integers(0, 3), st.integers(0, 20), st.integers(0, 80), st.integers(0, 100))
def test_masks_are_whole_stretches_of_bands_and_of_time(n_frames, bands, times, band_width, time_width, seed):
    options = SpectrogramAugment(band_masks=bands, time_masks=times, band_width=band_width, time_width=time_width)
    clip = np.ones((n_frames, 32), np.float32)
    masked = mask(clip, options, np.random.default_rng(seed))
    frames, columns = ~masked.any(1), ~masked.any(0)
    if frames.all():  # what covers everything may be of either kind
        assert times * time_width >= n_frames or bands * band_width >= 32
    else:
        assert np.array_equal(masked == 0, frames[:, None] | columns[None, :])
        assert len(runs(frames)) <= times and frames.sum() <= times * time_width
        assert len(runs(columns)) <= bands and columns.sum() <= bands * band_width
    assert clip.all(), "the clip itself stays"


def test_masks_reach_their_full_width_and_every_place():
    options, seen = SpectrogramAugment(band_masks=1, band_width=5, time_masks=0), set()
    for seed in range(400):
        columns = np.flatnonzero(~mask(np.ones((4, 16), np.float32), options, np.random.default_rng(seed)).any(0))
        seen.add((columns[0], len(columns)) if len(columns) else (0, 0))
    assert {width for _, width in seen} == set(range(6)) and {start + width for start, width in seen if width == 5} == set(range(5, 17))


def test_statistics_are_numpys_over_all_frames():
    rng = np.random.default_rng(0)
    clips = [rng.normal(20 * n - 50, 5 + n, size=(10 + 30 * n, 64)).astype(np.float32) for n in range(4)]
    for clip in clips:
        clip[:, 5] = -80
    mean, scale = statistics(clips)
    together = np.concatenate(clips).astype(np.float64)
    assert mean == pytest.approx(together.mean(0), abs=1e-4) and mean.dtype == scale.dtype == np.float32
    assert np.delete(scale, 5) == pytest.approx(np.delete(together.std(0), 5), rel=1e-5) and scale[5] == 1


def collate(crop: int = 0, augment: SpectrogramAugment | None = None, center: str = "clip") -> CollateFrames:
    return CollateFrames(np.full(64, 2, np.float32), np.full(64, 4, np.float32), center, crop, augment)


@pytest.mark.parametrize("center", ["clip", "cmn"])
def test_whole_clips_are_normalised_and_padded_with_zeros(center):
    clips = [np.random.default_rng(n).normal(-30, 9, (n, 64)).astype(np.float32) for n in (1, 31, 32, 70)]
    batch, counts = collate(center=center)(clips, None)
    assert batch.shape == (4, 96, 64) and counts.tolist() == [1, 31, 32, 70] and batch.dtype == torch.float32
    for row, clip in zip(batch.numpy(), clips, strict=True):
        scaled = (clip - 2) / 4
        expected = scaled - (scaled.mean() if center == "clip" else scaled.mean(0, keepdims=True))
        assert row[: len(clip)] == pytest.approx(expected, abs=1e-5)
        assert not row[len(clip) :].any()


@pytest.mark.parametrize("n_frames", [1, 20, 24, 25, 40])
def test_training_crops_lie_within_the_clip(n_frames):
    starts, length = set(), min(n_frames, 24)
    for seed in range(120):
        batch, counts = collate(24, PLAIN)([numbered(n_frames)], np.random.default_rng(seed))
        assert batch.shape == (1, 24, 64) and counts.tolist() == [length] and not batch[0, length:].any()
        found = 4 * batch[0, :length, 0].numpy()
        assert found == pytest.approx(np.arange(length) - (length - 1) / 2, abs=1e-4), "neighbours stay neighbours"
        starts.add(_start(n_frames, seed))
    assert starts == set(range(max(n_frames - 23, 1))), "crops begin wherever they fit"


def _start(n_frames: int, seed: int) -> int:
    """Where the crop of this seed begins: every frame says which it is."""
    batch, (count,) = collate(24, PLAIN)._crops([numbered(n_frames)], np.random.default_rng(seed))
    assert count == min(n_frames, 24) and batch[0, count - 1, 0] <= n_frames - 1
    return int(batch[0, 0, 0])


@given(st.lists(st.tuples(st.integers(1, 90), st.floats(0.5, 2), st.floats(0, 1)), min_size=1, max_size=9), st.integers(1, 60))
def test_a_crop_of_a_batch_is_the_crop_of_the_whole_clip(drawn, length):
    rng = np.random.default_rng(len(drawn))
    clips = [rng.normal(-30, 9, (n, 64)).astype(np.float32) for n, _, _ in drawn]
    factors = np.array([factor for _, factor, _ in drawn])
    starts = np.array([int(at * (n - 1)) for n, (_, _, at) in zip(n_frames_after(clips, factors), drawn, strict=True)])
    batch, counts = resample_crops(clips, factors, starts, length)
    for crop, count, clip, factor, start in zip(batch, counts, clips, factors, starts, strict=True):
        whole = change_speed(clip, factor)[start : start + length]
        assert count == len(whole) and np.array_equal(crop[:count], whole)


def test_a_generator_draws_the_same_again_and_none_draws_nothing():
    clips = [numbered(n) for n in (40, 90, 64)]
    drawing = collate(48, SpectrogramAugment(speed_fraction=1, noise_fraction=1))
    one, same, other = (drawing(clips, np.random.default_rng(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(drawing(clips, None)[0], collate()(clips, None)[0])
    assert np.array_equal(clips[0], numbered(40)), "what is drawn for one batch does not stay"


@pytest.mark.parametrize(("share", "changed"), [(0.0, False), (1.0, True)])
def test_shares_of_zero_and_one_are_never_and_always(share, changed):
    clips = [as_mel(vowel(0.8))] * 6
    for augment in (
        SpectrogramAugment(speed_fraction=share, noise_fraction=0, band_masks=0, time_masks=0),
        SpectrogramAugment(speed_fraction=0, noise_fraction=share, band_masks=0, time_masks=0),
    ):
        batch, _ = collate(48, augment)(clips, np.random.default_rng(0))
        plain, _ = collate(48, PLAIN)([clips[0]] * 200, np.random.default_rng(0))
        same = [bool((plain == row).flatten(1).all(1).any()) for row in batch]
        assert same == [not changed] * 6


@given(st.lists(st.integers(1, 200), min_size=1, max_size=40), st.integers(1, 9))
def test_inputs_of_one_padded_length_share_a_batch(lengths, size):
    clips = [np.zeros((length, 64), np.float32) for length in lengths]
    groups = alike(clips, collate(), size)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(clips)))
    for group in groups:
        assert 1 <= len(group) <= size
        assert len({-(-lengths[number] // ROUND_TO) for number in group}) == 1
        assert len(collate()([clips[number] for number in group], None)[0][0]) == collate().length(clips[group[0]])
