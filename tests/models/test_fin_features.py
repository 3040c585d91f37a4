"""The 162 features: which come from FINs and which from librosa, and that shared front ends run once."""

import librosa
import numpy as np
import pytest
import torch

from finser import layout
from finser.audio.frames import DIMENSIONS, frames, to_float
from finser.config.sections.classifiers import FinEnsemble
from finser.features.labels import features
from finser.features.rows import Row
from finser.fins.features import N_FEATURES, Fins, columns, of_librosa, random_fins
from finser.fins.store import load_fin
from finser.models.fin_ensemble import FinEnsembleClassifier, as_clip, begin, reader

PLACES = {"rms": (0, 1), "zcr": (1, 2), "chroma": (2, 14), "mfcc": (14, 34), "mel": (34, 162)}


def load_fins() -> dict[str, torch.nn.Module]:
    return {feature: load_fin(layout.fin(feature))[0] for feature in DIMENSIONS}


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return (1000 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.int16)


def raw(clip: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(to_float(frames(clip).copy()))


def as_features(feature: str, values: np.ndarray) -> np.ndarray:
    """RMS and mel as logarithms."""
    values = np.asarray(values, np.float64)
    if feature == "rms":
        return np.log(np.maximum(values, 1e-10))
    return 10 * np.log10(np.maximum(values, 1e-10)) if feature == "mel" else values


def test_the_columns_are_where_the_documentation_says():
    assert {feature: (columns(feature).start, columns(feature).stop) for feature in DIMENSIONS} == PLACES and N_FEATURES == 162


def test_features_are_those_of_the_five_fins_and_the_front_end_runs_once(project):
    apart, fins = load_fins(), Fins(load_fins())
    assert len(fins.front_ends) == 1
    calls = []
    fins.front_ends[0].register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        found = fins(raw(noise(9000)))
        expected = {feature: fin(raw(noise(9000))) for feature, fin in apart.items()}
    assert calls == [1]
    for feature, (first, last) in PLACES.items():
        assert found[:, first:last].numpy() == pytest.approx(as_features(feature, expected[feature].numpy()), abs=2e-4)


def test_different_front_ends_stay_apart(project):
    fins = load_fins()
    with torch.no_grad():
        fins["chroma"].front_end.window += 0.1
    assert len(Fins(fins).front_ends) == 2


@pytest.mark.parametrize("chosen", [("mel",), ("rms", "mfcc"), ("zcr", "chroma"), tuple(DIMENSIONS)])
def test_a_mixture_has_some_features_from_fins_and_the_others_from_librosa(project, chosen):
    options = FinEnsemble(fins=chosen, trim_db=0)
    asked = reader(options)
    assert asked.audio and set(asked.features) == set(DIMENSIONS) - set(chosen)
    clips = [noise(size, size) for size in (700, 9000)]
    classifier = begin(options, 8)
    classifier.receive(project / "models")
    rows = [Row("c", "original", clip, {name: features(clip)[name] for name in asked.features}) for clip in clips]
    for clip, found in zip(clips, classifier.features([as_clip(row, options) for row in rows]), strict=True):
        assert found.shape == (len(clip) // 512 + 1, 162) and found.dtype == np.float32
        for feature, (first, last) in PLACES.items():
            with torch.no_grad():
                values = load_fin(layout.fin(feature))[0](raw(clip)).numpy() if feature in chosen else features(clip)[feature]
            assert found[:, first:last] == pytest.approx(as_features(feature, values), abs=2e-4), feature


def test_the_arm_librosa_needs_no_audio_and_is_librosas():
    options = FinEnsemble(arm="librosa", fins=(), trim_db=0)
    asked = reader(options)
    assert not asked.audio and set(asked.features) == set(DIMENSIONS)
    clip = noise(9000)
    (found,) = begin(options, 8).features([as_clip(Row("c", "original", None, features(clip)), options)])
    wave = to_float(clip)
    assert found[:, 0] == pytest.approx(np.log(librosa.feature.rms(y=wave)[0]), abs=1e-4)
    inner = slice(2, -2)  # librosa pads a clip with its edge for this one, and docs/features.md with zeros for all
    assert found[inner, 1] == pytest.approx(librosa.feature.zero_crossing_rate(wave)[0, inner], abs=1e-6)
    power = librosa.feature.melspectrogram(y=wave, sr=22_050)
    assert pytest.approx(librosa.power_to_db(power, top_db=None), abs=1e-3) == found[:, 34:].T


@pytest.mark.parametrize("chosen", [(), ("mel",), tuple(DIMENSIONS)])
def test_soft_ends_are_cut_alike_for_librosa_and_for_fins(project, chosen):
    """What is left are the whole clip's frames from the first to the last that sounds, and two on either side."""
    clip = np.concatenate([noise(9000, 1) // 100, noise(12_000), noise(9000, 2) // 100])
    options = FinEnsemble(arm="frozen" if chosen else "librosa", fins=chosen, trim_db=30)
    asked, classifier = reader(options), begin(options, 8)
    classifier.receive(project / "models")
    row = Row("c", "original", clip if asked.audio else None, {name: features(clip)[name] for name in asked.features})
    (found,) = classifier.features([as_clip(row, options)])
    loud = np.flatnonzero(features(clip)["rms"][:, 0] > features(clip)["rms"].max() * 10 ** (-30 / 20))
    first, last = loud[0] - 2, loud[-1] + 3
    assert len(found) == last - first < len(clip) // 512
    for feature, (begins, ends) in PLACES.items():
        with torch.no_grad():
            whole = load_fin(layout.fin(feature))[0](raw(clip)).numpy() if feature in chosen else features(clip)[feature]
        assert found[:, begins:ends] == pytest.approx(as_features(feature, whole)[first:last], abs=2e-4), feature


def test_silence_has_finite_logarithms_and_gradients(project):
    assert np.isfinite(of_librosa(features(np.zeros(3000, np.int16)))).all()
    fins = Fins(load_fins()).requires_grad_(True)
    out = fins.of_waves(torch.zeros(2, 2048 + 512 * 3))
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert all(parameter.grad is None or torch.isfinite(parameter.grad).all() for parameter in fins.parameters())


def test_frames_of_waves_are_the_frames_of_the_contract(project):
    fins, clip = Fins(load_fins()), noise(300_000)  # longer than one piece of frames
    padded = np.pad(to_float(clip), 1024)[: 512 * (300_000 // 512) + 2048]
    with torch.no_grad():
        of_wave = fins.of_waves(torch.from_numpy(padded)[None])[0]
        of_frames = fins(raw(clip))
    assert of_wave.shape == (300_000 // 512 + 1, N_FEATURES)
    assert torch.allclose(of_wave, of_frames, atol=1e-3)


def test_of_the_formula_features_are_librosas(project):
    """Whatever the weights were: of FINs that were trained on other data, constants are left, and they cancel."""
    fins, clip = Fins(load_fins()), noise(9000)
    with torch.no_grad():
        for weight in fins.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
        before = fins(raw(clip)).numpy()
        fins.closed_form()
        found = fins(raw(clip)).numpy()
    assert len(fins.front_ends) == 1
    for feature, (first, last) in PLACES.items():
        expected = as_features(feature, features(clip)[feature])
        assert found[:, first:last] == pytest.approx(expected, abs=2e-3), feature
        assert before[:, first:last] != pytest.approx(expected, abs=0.05), feature


@pytest.mark.parametrize(("arm", "same"), [("formula", False), ("tuned", True)])
def test_the_formula_is_put_where_the_fins_were_received(project, arm, same):
    classifier, trained = begin(FinEnsemble(arm=arm, fins=("mel",)), 8), load_fin(layout.fin("mel"))[0]
    classifier.receive(project / "models")
    assert torch.equal(classifier.fins.fins["mel"].weight, trained.weight) == same
    assert torch.equal(classifier.fins.fins["mel"].weight, trained.closed_form().weight) != same


def random_weights(seed: int) -> FinEnsembleClassifier:
    torch.manual_seed(seed)
    return begin(FinEnsemble(arm="uninitialised"), 8)


def test_random_fins_have_the_fins_shape_one_front_end_and_the_seeds_weights(project):
    one, same, other = random_weights(0), random_weights(0), random_weights(1)
    states = [classifier.fins.state_dict() for classifier in (one, same, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])
    assert len(one.fins.front_ends) == 1
    for feature, trained in load_fins().items():
        drawn = {name: tensor.shape for name, tensor in one.fins.fins[feature].state_dict().items()}
        assert drawn == {name: tensor.shape for name, tensor in trained.state_dict().items()}


def test_random_fins_of_some_features_are_those_features_nets():
    torch.manual_seed(0)
    assert set(random_fins(("mel", "zcr"))) == {"mel", "zcr"}
