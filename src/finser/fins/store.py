"""FINs on disk: a self-contained folder with model.safetensors, config.json and history.csv."""

import csv
import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from finser.errors import FinserError, nearest
from finser.files import read_json, whole_folder
from finser.fins.nets.base import frozen
from finser.fins.nets.chroma import ChromaFin
from finser.fins.nets.mel import MelFin
from finser.fins.nets.mfcc import MfccFin
from finser.fins.nets.rms import RmsFin
from finser.fins.nets.transform import FrontEnd
from finser.fins.nets.zcr import ZcrFin

TOPOLOGIES = {topology.feature: topology for topology in (FrontEnd, RmsFin, ZcrFin, ChromaFin, MelFin, MfccFin)}
N_PARAMETERS = {"front_end": 37_952, "rms": 20, "zcr": 89, "chroma": 13_056, "mel": 2_953, "mfcc": 2_580}  # without frozen parts
WEIGHTS, INITIAL = "model.safetensors", "initial.safetensors"
AGAIN = "delete the folder and train again: dvc repro"


def save_fin(
    folder: Path, module: nn.Module, config: dict, history: list[dict[str, float]], initial: dict[str, Tensor] | None = None
) -> None:
    """Write a FIN (or the front end) as `folder`, whole or not at all.

    Parameters
    ----------
    folder : Path
        ``layout.fin(feature)``.
    module : nn.Module
        One of :data:`TOPOLOGIES`; its whole state is written, including frozen parts.
    config : dict
        A dict that JSON can hold; ``feature`` names the topology.
    history : list of dict
        Rows of history.csv, all with the same keys.
    initial : dict, optional
        State of the module before its training, to be written as :data:`INITIAL`.
    """
    with whole_folder(folder) as partial:
        for name, state in ((WEIGHTS, module.state_dict()), (INITIAL, initial)):
            if state is not None:
                save_file({key: tensor.cpu().contiguous() for key, tensor in state.items()}, partial / name)
        (partial / "config.json").write_text(json.dumps(config, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        with (partial / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, history[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)


def load_fin(folder: Path, module: nn.Module | None = None, weights: str = WEIGHTS) -> tuple[nn.Module, dict]:
    """Read a FIN (or the front end): the module, frozen and on the CPU, and its config.

    Parameters
    ----------
    folder : Path
        What :func:`save_fin` wrote.
    module : nn.Module, optional
        A network of the topology in `folder`, whose weights are replaced; by default a new one of :data:`TOPOLOGIES`.
    weights : str
        Name of the file of weights in `folder`.

    Raises
    ------
    FinserError
        A file is missing or damaged, or the weights belong to another topology.
    """
    config = read_json(folder / "config.json")
    feature, path = config.get("feature"), folder / weights
    if feature not in TOPOLOGIES:
        raise FinserError(f"unknown feature '{feature}'", where=folder / "config.json", do=nearest(str(feature), TOPOLOGIES))
    module = TOPOLOGIES[feature]() if module is None else module
    try:
        module.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do=AGAIN) from None
    except SafetensorError as error:
        raise FinserError(f"not a readable model ({error})", where=path, do=AGAIN) from None
    except RuntimeError as error:
        raise FinserError(f"weights of another topology than {feature}'s ({error})", where=path, do=AGAIN) from None
    return frozen(module), config
