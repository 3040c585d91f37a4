import json

import pytest
import torch

from finser.errors import FinserError
from finser.fins.nets.mel import MelFin
from finser.fins.nets.mfcc import MfccFin
from finser.fins.nets.rms import RmsFin
from finser.fins.nets.transform import FrontEnd
from finser.fins.store import load_fin, save_fin

HISTORY = [{"step": 1, "loss": 0.5, "r2_validation": 0.25}]


@pytest.mark.parametrize("make", [FrontEnd, RmsFin, MfccFin])
def test_round_trip(tmp_path, make):
    fin, sound = make(), torch.randn(4, 2048)
    if make is MfccFin:
        fin.set_scales(sound, torch.randn(4, 20))
    save_fin(tmp_path / "fin", fin, {"feature": fin.feature, "seed": 3}, HISTORY)
    again, config = load_fin(tmp_path / "fin")
    assert type(again) is make and config["seed"] == 3
    assert torch.equal(again(sound), fin(sound))
    assert not again.training and not any(weight.requires_grad for weight in again.parameters())
    assert (tmp_path / "fin" / "history.csv").read_text() == "step,loss,r2_validation\n1,0.5,0.25\n"


def test_mistakes_are_named(tmp_path):
    folder = tmp_path / "fin"
    with pytest.raises(FinserError, match="no such file"):
        load_fin(folder)
    save_fin(folder, MelFin(), {"feature": "mel"}, HISTORY)
    (folder / "config.json").write_text(json.dumps({"feature": "mell"}))
    with pytest.raises(FinserError, match="did you mean 'mel'"):
        load_fin(folder)
    (folder / "config.json").write_text(json.dumps({"feature": "rms"}))
    with pytest.raises(FinserError, match="another topology"):
        load_fin(folder)
    (folder / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(FinserError, match="not a readable model"):
        load_fin(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FinserError, match="model.safetensors: no such file"):
        load_fin(folder)
