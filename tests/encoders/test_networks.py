"""Networks of the encoders: hidden states equal transformers' own, whatever shares the batch."""

import librosa
import numpy as np
import pytest
import torch
import transformers

from finser import encoders
from finser.encoders import byol_s
from finser.encoders.base import RATE, padded, windows
from finser.encoders.sound import sound_of
from finser.encoders.speech import spans
from finser.errors import FinserError

from . import tiny

SPEECH = [name for name in tiny.KINDS if name != "whisper"]
LENGTHS = (16_000, 23_457, 16_320)  # samples


def samples(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("name", SPEECH)
def test_hidden_states_of_speech_encoders_are_those_of_transformers(tmp_path, name, normalised):
    theirs = tiny.write(tmp_path, name, do_normalize=normalised)
    ours, y = encoders.load(tmp_path), samples(LENGTHS[1])
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalised)
    with torch.no_grad():
        expected = theirs(**extractor(y, sampling_rate=RATE, return_tensors="pt"), output_hidden_states=True)
        found = ours(torch.from_numpy(ours.prepare(y))[None], torch.tensor([len(y)]))
    assert len(found) == ours.n_layers == len(expected.hidden_states)
    for one, other in zip(found[:-1], expected.hidden_states[:-1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[-1], expected.last_hidden_state, rtol=1e-5, atol=1e-5)
    assert ours.n_frames(torch.tensor([len(y)])).item() == found[0].shape[1]
    assert not torch.allclose(found[0], found[-1], atol=0.1)


def test_hidden_states_of_whisper_are_those_of_transformers(tmp_path):
    theirs = tiny.write(tmp_path, "whisper")
    ours, y = encoders.load(tmp_path), samples(LENGTHS[1])
    assert ours.window == 100 * 320
    extractor = transformers.WhisperFeatureExtractor(feature_size=80)
    features = extractor(y, sampling_rate=RATE, max_length=ours.window, return_tensors="pt").input_features
    with torch.no_grad():
        expected = theirs.encoder(features, output_hidden_states=True)
        found = ours(torch.from_numpy(ours.prepare(y))[None], torch.tensor([len(y)]))
    assert ours.n_frames(torch.tensor([len(y)])).item() == np.ceil(len(y) / 320)
    for one, other in zip(found[:-1], expected.hidden_states[:-1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[-1], expected.last_hidden_state, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in tiny.KINDS if name != "data2vec"])
def test_a_clip_has_the_same_hidden_states_alone_and_in_a_padded_batch(tmp_path, name):
    tiny.write(tmp_path, name)
    encoder = encoders.load(tmp_path)
    assert encoder.masks_padding
    clips = [samples(n, n) for n in LENGTHS]
    counts = torch.tensor(LENGTHS)
    with torch.no_grad():
        together = encoder(padded([encoder.prepare(y) for y in clips]), counts)
        for place, (y, frames) in enumerate(zip(clips, encoder.n_frames(counts).tolist(), strict=True)):
            alone = encoder(torch.from_numpy(encoder.prepare(y))[None], counts[place : place + 1])
            for one, other in zip(together, alone, strict=True):
                torch.testing.assert_close(one[place, :frames], other[0, :frames], rtol=1e-4, atol=1e-4)


def test_padding_would_change_hidden_states_of_the_families_that_share_no_batch(tmp_path):
    """Else `masks_padding` could be True for them."""
    for name in ("data2vec", "byol_s"):
        tiny.write(tmp_path / name, name)
        encoder = encoders.load(tmp_path / name)
        assert not encoder.masks_padding
        clips = [encoder.prepare(samples(n)) for n in LENGTHS[:2]]
        with torch.no_grad():
            counts = torch.tensor(LENGTHS[:2])
            frames = int(encoder.n_frames(counts)[0])
            together, alone = encoder(padded(clips), counts), encoder(torch.from_numpy(clips[0])[None], counts[:1])
        worst = max(float((one[0, :frames] - other[0, :frames]).abs().max()) for one, other in zip(together, alone, strict=True))
        assert worst > 1e-3, name


def test_the_spectrogram_of_byol_s_is_librosas():
    y = samples(20_000)
    options = {"sr": RATE, "n_fft": 1024, "hop_length": 160, "n_mels": 64, "fmin": 60, "fmax": 7800, "htk": True, "norm": None}
    power = librosa.feature.melspectrogram(y=y, pad_mode="reflect", **options)
    np.testing.assert_allclose(byol_s.log_mel(y), np.log(power + np.finfo(np.float32).eps).T, rtol=1e-4, atol=1e-4)


def test_the_spectrogram_of_byol_s_is_torchaudios():
    torchaudio = pytest.importorskip("torchaudio", exc_type=ImportError)
    y = samples(20_000)
    options = {"sample_rate": RATE, "n_fft": 1024, "win_length": 1024, "hop_length": 160, "n_mels": 64, "f_min": 60, "f_max": 7800}
    power = torchaudio.transforms.MelSpectrogram(**options, power=2)(torch.from_numpy(y))
    expected = (power + torch.finfo().eps).log().T
    np.testing.assert_allclose(byol_s.log_mel(y), expected, rtol=1e-3, atol=1e-3)


def test_hidden_states_of_byol_s_are_those_of_its_layers_in_turn(tmp_path):
    """The published network in two lines: AudioNTT2020's `features`, then `fc` per step of time."""
    tiny.write(tmp_path, "byol_s")
    encoder, y = encoders.load(tmp_path), samples(LENGTHS[1])
    x = torch.from_numpy(encoder.prepare(y))
    assert abs(float(x.mean())) < 1e-4 and abs(float(x.std()) - 1) < 1e-3
    with torch.no_grad():
        found = encoder(x[None], torch.tensor([len(y)]))
        conv = encoder.net.features(x.T[None, None])  # (1, 64, 8, t / 8)
        steps = conv.permute(0, 3, 2, 1).reshape(1, conv.shape[3], -1)
        torch.testing.assert_close(found[2], steps)
        torch.testing.assert_close(found[4], encoder.net.fc(steps))
        first = encoder.net.features[:4](x.T[None, None])[0]  # (64, 32, t / 2)
    expected = first[:, :, :8].reshape(64, 8, 4, 2, 4).mean((2, 4))  # rows of 4 bands, steps of 4 frames: (64, 8, 2)
    torch.testing.assert_close(found[0][0, :2].reshape(2, 8, 64), expected.permute(2, 1, 0))
    assert [state.shape for state in found] == [(1, int(encoder.n_frames(torch.tensor([len(y)]))), 512)] * 5


@pytest.mark.parametrize("name", [*tiny.KINDS, "byol_s"])
def test_the_shortest_window_gives_a_frame(tmp_path, name):
    tiny.write(tmp_path, name)
    encoder = encoders.load(tmp_path)
    (window,) = windows(samples(10), encoder.shortest, encoder.window)
    assert len(window) == encoder.shortest
    with torch.no_grad():
        states = encoder(torch.from_numpy(encoder.prepare(window))[None], torch.tensor([len(window)]))
    assert int(encoder.n_frames(torch.tensor([len(window)]))) >= 1
    assert all(torch.isfinite(state).all() for state in states)


def test_windows_hold_all_samples_but_a_rest_that_is_too_short():
    y = samples(1000)
    assert [len(part) for part in windows(y, 10, 400)] == [400, 400, 200]
    assert [len(part) for part in windows(y[:805], 10, 400)] == [400, 400]
    np.testing.assert_array_equal(np.concatenate(windows(y, 10, 400)), y)


def test_silent_ends_are_trimmed_as_by_librosa():
    loud = tiny.clip(22_050)
    clip = np.concatenate([np.zeros(11_025, np.int16), loud, np.zeros(22_050, np.int16)])
    found = sound_of(clip)
    _, (start, end) = librosa.effects.trim(clip.astype(np.float32) / 32768, top_db=30)
    assert abs(len(found) - (end - start + 2048) * RATE / 22_050) < 2
    assert len(sound_of(np.zeros(22_050, np.int16))) == RATE  # silence has no ends


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"family": "deit"}, "no encoder of speech"),
        ({}, "no encoder of speech"),
        ({"family": "wav2vec2", "preprocessor": {"a": 1}, **tiny.SIZE, "conv_dim": [16]}, "a configuration that wav2vec2 refuses"),
        ({"family": "wavlm", "preprocessor": {}, **tiny.SIZE}, "no preprocessor_config.json, or an empty one"),
        ({"family": "wav2vec2", "preprocessor": {"a": 1}, **tiny.SIZE, "add_adapter": True}, "an adapter behind the layers"),
    ],
)
def test_a_configuration_without_an_encoder_is_one_line(config, said):
    with pytest.raises(FinserError, match=said) as caught:
        encoders.build(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("probability", "width", "least"), [(0.05, 10, 2), (0.5, 10, 2), (0.2, 4, 0), (0.9, 30, 2)])
def test_spans_cover_as_much_as_those_of_transformers(probability, width, least):
    from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices

    sizes, length = torch.tensor([149, 120, 60, 12, 5] * 40), 149
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = spans(sizes, length, probability, width, least)
    inside = torch.arange(length) < sizes[:, None]
    assert not (found & ~inside).any()
    np.random.seed(0)  # noqa: NPY002  (the generator of transformers)
    expected = _compute_mask_indices((len(sizes), length), probability, width, inside.long(), least)
    for size in (149, 120, 60):
        chosen = (sizes == size).numpy()
        assert found.numpy()[chosen].mean() == pytest.approx(expected[chosen].mean(), rel=0.2), size
    assert least == 0 or found[sizes >= 2 * width].any(1).all(), "every clip that is long enough has a span"


def test_weights_of_another_size_are_one_line(tmp_path):
    tiny.write(tmp_path, "wavlm")
    config = (tmp_path / "config.json").read_text().replace('"hidden_size": 32', '"hidden_size": 64')
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(FinserError, match="weights that cannot be loaded") as caught:
        encoders.load(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(FinserError, match="weights that cannot be loaded"):
        encoders.load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FinserError, match="no such file"):
        encoders.load(tmp_path)
