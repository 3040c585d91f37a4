import json

import librosa
import numpy as np
import pytest
import torch

from finser import layout
from finser.config import presets
from finser.config.params import validate
from finser.fins.front_end import FrontEndTask, error_db, stft, train_front_end
from finser.fins.nets.base import count
from finser.fins.nets.transform import NARROW, WIDE, FrontEnd, bins, mirrored
from finser.fins.store import N_PARAMETERS, load_fin
from finser.training.loop import fit


def noise(n: int = 20) -> torch.Tensor:
    return torch.randn(n, 2048, generator=torch.Generator().manual_seed(3))


def test_every_bin_occurs_and_63_occur_twice():
    times = np.bincount(bins().numpy(), minlength=1025)
    assert len(times) == 1025 and times.min() == 1 and (times == 2).sum() == 63 and times.sum() == 1088


@pytest.mark.parametrize("sides", [NARROW, WIDE])
def test_closed_form_is_librosas_power_spectrum(sides):
    frames = noise().numpy()
    expected = np.stack([np.abs(librosa.stft(frame, n_fft=2048, center=False)[:, 0]) ** 2 for frame in frames])[:, bins().numpy()]
    powers = FrontEnd(sides=sides).closed_form()(torch.from_numpy(frames)).detach().numpy()
    assert powers.shape == (20, 1088)
    assert np.abs(powers - expected).max() < 1e-5 * expected.max()
    assert error_db(FrontEnd(sides=sides).closed_form()) < -120


def test_the_target_is_the_windowed_fourier_transform():
    frames = noise(4).double().numpy()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    spectrum = np.fft.rfft(frames * window)[:, bins().numpy()]
    spectrum = np.where(mirrored().numpy(), spectrum.conj(), spectrum).reshape(4, 17, 64)
    found = stft(torch.from_numpy(frames).float()).numpy()
    assert np.allclose(found, np.concatenate([spectrum.real, spectrum.imag], 2).transpose(1, 0, 2), atol=1e-3)


def test_parameters():
    assert count(FrontEnd())["params"] == N_PARAMETERS["front_end"] == 37_952


def test_training_lowers_the_error_by_decades():
    section = presets.demo().train_front_end.model_copy(update={"adam_steps": 1000})
    front_end = FrontEnd(torch.Generator().manual_seed(0))
    history = fit(FrontEndTask(front_end, section, seed=0)).history
    assert history[0]["db"] > -5 and history[-1]["db"] < -20 and history[-1]["db"] == error_db(front_end)


def test_training_ends_at_the_target():
    section = presets.demo().train_front_end.model_copy(update={"adam_steps": 20, "target_db": -100.0})
    history = fit(FrontEndTask(FrontEnd().closed_form(), section.model_copy(update={"learning_rate": 1e-9}), seed=0)).history
    assert history[-1]["step"] == 2


@pytest.mark.parametrize("init", ["random", "closed_form"])
def test_step(tmp_path, monkeypatch, init):
    monkeypatch.chdir(tmp_path)
    values = presets.tiny().model_dump(mode="json")
    values["train_front_end"] |= {"init": init, "adam_steps": 20}
    weights = []
    for _ in range(2):
        train_front_end(validate(values))
        weights.append((layout.fin("front_end") / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    config = json.loads((layout.fin("front_end") / "config.json").read_text())
    assert config["init"] == init and config["trained"] == (init == "random") and config["params"] == 37_952
    front_end, _ = load_fin(layout.fin("front_end"))
    assert error_db(front_end) == pytest.approx(config["db"], abs=0.01)
    assert (layout.fin("front_end") / "history.csv").read_text().startswith("step,db\n")
