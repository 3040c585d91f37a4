"""The 162 features of a frame, from FINs or from librosa: log RMS, ZCR, 12 chroma, 20 MFCC, 128 mel in dB."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from finser.audio.decibels import natural_log, power_to_db
from finser.audio.frames import DIMENSIONS, HOP_LENGTH, N_FFT
from finser.fins.nets.base import Fin
from finser.fins.nets.building import structured
from finser.fins.nets.transform import FrontEnd
from finser.fins.store import load_fin

PIECE = 128  # frames that go through the FINs at a time: larger pieces fall out of the caches
N_FEATURES = sum(DIMENSIONS.values())
FLOOR = 1e-10  # librosa's for mel powers; an RMS below it is as good as zero


def columns(feature: str) -> slice:
    """Where a feature stands among the 162."""
    begin = sum(dim for name, dim in DIMENSIONS.items() if list(DIMENSIONS).index(name) < list(DIMENSIONS).index(feature))
    return slice(begin, begin + DIMENSIONS[feature])


def of_librosa(features: dict[str, np.ndarray]) -> np.ndarray:
    """librosa's features of a clip, each (t, dim), as (t, 162) in float32; zeros for those that are not there."""
    result = np.zeros((len(next(iter(features.values()))), N_FEATURES), np.float32)
    for name, values in features.items():
        if name == "rms":
            values = natural_log(np.maximum(values, FLOOR))
        if name == "mel":
            values = power_to_db(values, FLOOR)
        result[:, columns(name)] = values
    return result


class Once(nn.Module):
    """A module that several FINs share: asked for the same input again, it gives the same output without computing."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.forget()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output for `x`."""
        if self.known is None or self.known.shape != x.shape or not torch.equal(self.known, x):
            self.known, self.output = x, self.module(x)
        return self.output

    def forget(self) -> None:
        """Hold no tensor, and no graph, any longer."""
        self.known = self.output = None


class Fins(nn.Module):
    """FINs side by side; equal front ends are one module, computed once.

    Parameters
    ----------
    fins : dict
        Feature -> network from frames, shape (n, 2048), to (n, dim).
    """

    def __init__(self, fins: dict[str, nn.Module]) -> None:
        super().__init__()
        self.fins = nn.ModuleDict({feature: fins[feature] for feature in DIMENSIONS if feature in fins})
        self.shared = list(_share(self.fins.values(), "front_end"))  # a list, not a ModuleList: they belong to the FINs

    def forward(self, frames: Tensor) -> Tensor:
        """Features of raw frames: (n, 2048) -> (n, 162); zeros for features that are no FIN's."""
        out = frames.new_zeros(len(frames), N_FEATURES)
        given = {feature: fin(frames) for feature, fin in self.fins.items()}
        for module in self.shared:
            module.forget()
        if "rms" in given:
            given["rms"] = given["rms"].clamp_min(FLOOR).log()
        if "mel" in given:
            given["mel"] = 10 * given["mel"].clamp_min(FLOOR).log10()
        parts = [given.get(feature, out[:, columns(feature)]) for feature in DIMENSIONS]
        features = torch.cat(parts, dim=1)  # (n, 162)
        # nothing is to be learned from digital silence, where a quotient's gradient overflows
        return torch.where(frames.any(dim=1, keepdim=True), features, features.detach())

    def closed_form(self) -> None:
        """Set all weights to librosa's formulas; the constants that the FINs took from their training frames stay."""
        for module in self.fins.modules():
            if isinstance(module, Fin | FrontEnd):
                module.closed_form()

    def of_waves(self, waves: Tensor) -> Tensor:
        """Features of padded samples: (batch, 512 (t - 1) + 2048) -> (batch, t, 162)."""
        frames = waves.unfold(1, N_FFT, HOP_LENGTH)  # (batch, t, 2048)
        pieces = frames.reshape(-1, N_FFT).split(PIECE)
        return torch.cat([self(piece) for piece in pieces]).reshape(*frames.shape[:2], -1)


def random_fins(features: Iterable[str]) -> dict[str, nn.Module]:
    """Nets of the FINs' shapes with random weights on one random front end, drawn from torch's generator."""
    draw = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
    front_end = FrontEnd(generator=draw)
    return {feature: structured(feature, draw, front_end) for feature in features}


def load_fins(folder: Path, features: Iterable[str]) -> dict[str, nn.Module]:
    """FINs from `folder`/FEATURE."""
    return {feature: load_fin(folder / feature)[0] for feature in features}


def _share(fins: Iterable[nn.Module], name: str) -> Iterator[Once]:
    """Replace all submodules called `name` that hold equal weights by one module; yields each that is left."""
    known: list[Once] = []
    for parent in [module for fin in fins for module in fin.modules()]:
        module = parent._modules.get(name)
        if module is not None and not isinstance(module, Once):
            once = next((other for other in known if _equal(other.module, module)), None)
            if once is None:
                once = Once(module)
                known.append(once)
                yield once
            setattr(parent, name, once)


def _equal(a: nn.Module, b: nn.Module) -> bool:
    one, two = a.state_dict(), b.state_dict()
    return type(a) is type(b) and one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def copy_fin(source: Path, target: Path) -> None:
    """Copy what :func:`finser.fins.store.load_fin` reads."""
    load_fin(source)  # a missing or broken FIN is named here
    target.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(source / name, target / name)
