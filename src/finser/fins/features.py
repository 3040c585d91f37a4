"""The 162 features of a frame, from FINs or from librosa: log RMS, ZCR, 12 chroma, 20 MFCC, 128 mel in dB."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from finser.audio.decibels import FLOOR, natural_log, power_to_db
from finser.audio.frames import DIMENSIONS, HOP_LENGTH, N_FFT
from finser.fins.building import structured
from finser.fins.nets.base import Fin, SpectralFin, normalise
from finser.fins.nets.transform import FrontEnd
from finser.fins.store import load_fin

PIECE = 128  # frames per forward pass: larger pieces exceed the CPU's caches
N_FEATURES = sum(DIMENSIONS.values())


def columns(feature: str) -> slice:
    """Return the columns of a feature among the 162."""
    begin = sum(dim for name, dim in DIMENSIONS.items() if list(DIMENSIONS).index(name) < list(DIMENSIONS).index(feature))
    return slice(begin, begin + DIMENSIONS[feature])


def of_librosa(features: dict[str, np.ndarray]) -> np.ndarray:
    """Return librosa's features of a clip, each (t, dim), as one float32 array (t, 162); missing features are zero."""
    result = np.zeros((len(next(iter(features.values()))), N_FEATURES), np.float32)
    for name, values in features.items():
        if name == "rms":
            values = natural_log(np.maximum(values, FLOOR))
        if name == "mel":
            values = power_to_db(values, FLOOR)
        result[:, columns(name)] = values
    return result


class Fins(nn.Module):
    """Several FINs in parallel. FINs with equal front ends share one, whose powers are computed once.

    Parameters
    ----------
    fins : dict
        Feature -> FIN.

    Attributes
    ----------
    front_ends : list of nn.Module
        The distinct front ends, which are submodules of the FINs.
    """

    def __init__(self, fins: dict[str, Fin]) -> None:
        super().__init__()
        self.fins = nn.ModuleDict({feature: fins[feature] for feature in DIMENSIONS if feature in fins})
        self.front_ends = _shared_front_ends(fin for fin in self.fins.values() if isinstance(fin, SpectralFin))

    def forward(self, frames: Tensor, known: dict[str, Tensor] | None = None) -> Tensor:
        """Return the features of raw frames: (n, 2048) -> (n, 162); features without a FIN are zero.

        Parameters
        ----------
        frames : Tensor
            Samples of full scale 1.
        known : dict, optional
            Outputs of FINs that are already computed, (n, dim) each.
        """
        unit, rms = normalise(frames)  # (n, 2048), (n, 1)
        powers = {id(front_end): front_end(unit) for front_end in self.front_ends}  # (n, 1088) each
        found = dict(known or {})
        for feature, fin in self.fins.items():
            if isinstance(fin, SpectralFin):
                found[feature] = fin.of_powers(powers[id(fin.get_front_end())], rms)
            elif feature not in found:
                found[feature] = fin(frames)
        if "rms" in found:
            found["rms"] = found["rms"].clamp_min(FLOOR).log()
        if "mel" in found:
            found["mel"] = 10 * found["mel"].clamp_min(FLOOR).log10()
        zeros = frames.new_zeros(len(frames), N_FEATURES)
        features = torch.cat([found.get(feature, zeros[:, columns(feature)]) for feature in DIMENSIONS], dim=1)  # (n, 162)
        # digital silence gets no gradient: that of a quotient overflows there
        return torch.where(frames.any(dim=1, keepdim=True), features, features.detach())

    def closed_form(self) -> None:
        """Set all weights to librosa's formulas; the constants that the FINs computed on training frames stay."""
        for module in self.fins.modules():
            if isinstance(module, Fin | FrontEnd):
                module.closed_form()

    def of_waves(self, waves: Tensor) -> Tensor:
        """Return the features of padded samples: (batch, 512 (t - 1) + 2048) -> (batch, t, 162), in float32 also under autocast."""
        frames = waves.unfold(1, N_FFT, HOP_LENGTH)  # (batch, t, 2048)
        pieces = frames.reshape(-1, N_FFT).split(PIECE)
        with torch.autocast(waves.device.type, enabled=False):
            if "zcr" not in self.fins:
                return torch.cat([self(piece) for piece in pieces]).reshape(*frames.shape[:2], -1)
            zcr = self.fins["zcr"].of_waves(waves).reshape(-1, 1).split(PIECE)
            return torch.cat([self(*piece) for piece in zip(pieces, ({"zcr": z} for z in zcr), strict=True)]).reshape(*frames.shape[:2], -1)


def random_fins(features: Iterable[str]) -> dict[str, Fin]:
    """Return FINs with random weights on one random front end, drawn from torch's generator."""
    draw = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
    front_end = FrontEnd(generator=draw)
    return {feature: structured(feature, draw, front_end) for feature in features}


def load_fins(folder: Path, features: Iterable[str]) -> dict[str, Fin]:
    """Load FINs from `folder`/FEATURE."""
    return {feature: load_fin(folder / feature)[0] for feature in features}


def _shared_front_ends(fins: Iterable[SpectralFin]) -> list[nn.Module]:
    """Replace front ends with equal weights by the first of them; return the front ends that remain."""
    known: list[nn.Module] = []
    for fin in fins:
        same = next((other for other in known if _equal(other, fin.get_front_end())), None)
        if same is None:
            known.append(fin.get_front_end())
        else:
            fin.set_front_end(same)
    return known


def _equal(a: nn.Module, b: nn.Module) -> bool:
    one, two = a.state_dict(), b.state_dict()
    return type(a) is type(b) and one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def copy_fin(source: Path, target: Path) -> None:
    """Copy the files that :func:`finser.fins.store.load_fin` reads."""
    load_fin(source)  # raises the error of a missing or damaged FIN
    target.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(source / name, target / name)
