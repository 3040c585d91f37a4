import numpy as np
import pytest
import torch

from finser.audio.frames import DIMENSIONS, frames
from finser.features.cepstrum import dct_matrix
from finser.features.labels import chroma_bank, features, mel_bank
from finser.fins.nets.base import count, predict
from finser.fins.nets.chroma import ChromaFin
from finser.fins.nets.mel import MelFin, connections
from finser.fins.nets.mfcc import MfccFin
from finser.fins.nets.rms import RmsFin
from finser.fins.nets.transform import FrontEnd, bins
from finser.fins.nets.zcr import PIECE, SoftSigns, ZcrFin
from finser.fins.store import N_PARAMETERS
from finser.seeds import generator

MAKE = {
    "rms": RmsFin,
    "zcr": ZcrFin,
    "chroma": lambda seed=None: ChromaFin(FrontEnd().closed_form(), seed),
    "mel": lambda seed=None: MelFin(FrontEnd().closed_form(), seed),
    "mfcc": lambda seed=None: MfccFin(MelFin(FrontEnd().closed_form(), seed), seed),
}


def clip() -> np.ndarray:
    """Noise, a tone, digital silence."""
    draws = generator("clip")
    y = 3000 * draws.standard_normal(20_000) + 9000 * np.sin(np.arange(20_000) * 0.1)
    y[8000:14_000] = 0
    return np.rint(y).clip(-32768, 32767).astype(np.int16)


def times() -> np.ndarray:
    """How often a power's bin occurs."""
    return np.bincount(bins().numpy())[bins().numpy()]


@torch.no_grad()
def exact(feature: str) -> torch.nn.Module:
    """The point of the topology that is librosa's formula: shows that the feature can be represented."""
    fin = MAKE[feature]()
    if feature == "rms":
        fin.taps.copy_(torch.eye(4))
        fin.mix.fill_(0.5)
    if feature == "zcr":
        fin.offset.fill_(0.5)
        fin.log_slope.fill_(6.0)
        fin.pairs.zero_()
        fin.pairs[:, 0, 0] = torch.tensor([0.5, -0.5])
        fin.mix.copy_(torch.tensor([2047 / 2048, 0, 0, 0]))
    if feature == "chroma":
        fin.weight.copy_(torch.from_numpy(np.sqrt(chroma_bank()[:, bins().numpy()] / times()).T))
    mel = fin if feature == "mel" else fin.mel if feature == "mfcc" else None
    if mel is not None:
        wanted = np.sqrt(mel_bank()[:, bins().numpy()] / times()).T.reshape(-1)
        mel.weight.copy_(torch.from_numpy(wanted[connections().numpy()]))
    if feature == "mfcc":
        fin.weight.copy_(torch.from_numpy(dct_matrix().T))
    return fin


def test_parameters():
    own = {feature: count(make())["params_own"] for feature, make in MAKE.items()}
    assert own == {feature: N_PARAMETERS[feature] for feature in DIMENSIONS}
    assert sum(N_PARAMETERS.values()) == 56_650
    assert count(MAKE["mfcc"]())["params"] == 2_580 + 2_953 + 37_952


def test_bands_reach_three_bins_beyond_the_filterbank():
    matrix = np.zeros(1088 * 128, bool)
    matrix[connections().numpy()] = True
    matrix = matrix.reshape(1088, 128)
    for band in (0, 64, 127):
        inside = np.flatnonzero(mel_bank()[band])
        seen = np.unique(bins().numpy()[matrix[:, band]])
        assert np.array_equal(seen, np.arange(max(inside[0] - 3, 0), min(inside[-1] + 3, 1024) + 1))


@pytest.mark.parametrize("feature", DIMENSIONS)
def test_librosas_feature_is_one_point_of_the_topology(feature):
    found, expected = predict(exact(feature), frames(clip())), features(clip())[feature]
    assert found.shape == expected.shape
    if feature == "mel":
        assert np.abs(found - expected).max() < 1e-5 * expected.max()
        found, expected = (np.log10(np.maximum(value, 1e-10)) for value in (found, expected))
    assert np.abs(found - expected).max() < {"rms": 1e-6, "zcr": 1e-4, "chroma": 1e-4, "mel": 1e-3, "mfcc": 0.05}[feature]


@pytest.mark.parametrize("feature", DIMENSIONS)
def test_silence(feature):
    """Right where the answer is wired in, finite with finite gradients everywhere."""
    silence = torch.zeros(3, 2048)
    fin = MAKE[feature](torch.Generator().manual_seed(0))
    output = fin(silence)
    fin.loss(output, torch.from_numpy(features(np.zeros(1100, np.int16))[feature])).backward()
    assert torch.isfinite(output).all()
    assert all(torch.isfinite(weight.grad).all() for weight in fin.parameters() if weight.grad is not None)
    if feature in ("rms", "chroma", "mel"):
        assert not output.any()
    expected = features(np.zeros(1100, np.int16))[feature]
    assert np.allclose(exact(feature)(silence).detach().numpy(), expected, rtol=1e-5, atol=1e-3)


def test_soft_signs_are_torchs_with_its_gradients():
    samples, slope, shift, pull = torch.randn(50), torch.rand(8) + 0.5, torch.randn(8), torch.randn(8, 50)
    found = []
    for function in (SoftSigns.apply, lambda x, a, b: torch.nn.functional.softsign(b[:, None] + x * a[:, None])):
        weights = [slope.clone().requires_grad_(), shift.clone().requires_grad_()]
        signs = function(samples, *weights)
        found.append((signs.detach(), *torch.autograd.grad((signs * pull).sum(), weights)))
    assert all(torch.allclose(one, other, rtol=1e-5, atol=1e-6) for one, other in zip(*found, strict=True))


def test_zero_crossings_of_waves_are_those_of_their_frames():
    """Also where the samples of a batch are computed in several pieces."""
    fin, waves = ZcrFin(torch.Generator().manual_seed(0)), 0.1 * torch.randn(5, 2048 + 512 * 40)
    framed = waves.unfold(1, 2048, 512)  # (5, 41, 2048)
    with torch.no_grad():
        assert torch.allclose(fin.of_waves(waves), fin(framed.reshape(-1, 2048)).reshape(5, 41, 1), rtol=1e-5, atol=1e-6)
    assert waves.numel() > PIECE


@pytest.mark.parametrize("gain_db", [-20, 20])
def test_gain(gain_db):
    """On random weights: RMS follows gain g, mel g^2, chroma stays."""
    gain = 10 ** (gain_db / 20)
    sound = torch.from_numpy(frames(clip()).astype(np.float32)[:6] / 32768)
    for feature, expected in (("rms", gain), ("mel", gain**2), ("chroma", 1.0)):
        fin = MAKE[feature](torch.Generator().manual_seed(1))
        assert torch.allclose(fin(sound * gain), fin(sound) * expected, rtol=1e-3, atol=1e-9 + 1e-5 * (feature == "chroma")), feature


def test_random_mel_begins_at_the_mean_of_every_band():
    fin = MelFin(FrontEnd(torch.Generator().manual_seed(1)), torch.Generator().manual_seed(2))
    given, target = torch.randn(50, 2048), torch.rand(50, 128) + 0.1
    fin.set_scales(given, target)
    with torch.no_grad():
        assert torch.allclose(fin(given).mean(0), target.mean(0), rtol=1e-4)


def test_random_starts_follow_the_generator():
    for feature, make in MAKE.items():
        first, again, other = (make(torch.Generator().manual_seed(seed)).state_dict() for seed in (0, 0, 1))
        assert all(torch.equal(first[name], again[name]) for name in first), feature
        assert any(not torch.equal(first[name], other[name]) for name in first), feature
