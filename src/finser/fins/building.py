"""FINs before their training: their topology, and the trained parts that they inherit."""

import torch

from finser import layout
from finser.fins.nets.base import Fin
from finser.fins.nets.chroma import ChromaFin
from finser.fins.nets.mel import MelFin
from finser.fins.nets.mfcc import MfccFin
from finser.fins.nets.rms import RmsFin
from finser.fins.nets.transform import FrontEnd
from finser.fins.nets.zcr import ZcrFin
from finser.fins.store import load_fin
from finser.seeds import seed_for


def build(feature: str, seed: int) -> tuple[Fin, dict]:
    """Return the structured FIN of `feature` with random weights, and the ``init`` of each inherited part from models/fins."""
    weights = torch.Generator().manual_seed(seed_for(seed, feature, "init"))
    if feature in ("rms", "zcr"):
        return structured(feature, weights), {}
    if feature in ("chroma", "mel"):
        front_end, config = load_fin(layout.fin("front_end"))
        return structured(feature, weights, front_end), {"front_end": config["init"]}
    mel, config = load_fin(layout.fin("mel"))
    return MfccFin(mel, weights), {"mel": config["init"], **config["inherits"]}


def structured(feature: str, weights: torch.Generator, front_end: FrontEnd | None = None) -> Fin:
    """Return the structured FIN of `feature` with random weights.

    It uses the front end if its topology has one. The mel FIN of MFCC has random weights, too.
    """
    if feature == "rms":
        return RmsFin(weights)
    if feature == "zcr":
        return ZcrFin(weights)
    if feature == "mfcc":
        return MfccFin(MelFin(front_end, weights), weights)
    return {"chroma": ChromaFin, "mel": MelFin}[feature](front_end, weights)
