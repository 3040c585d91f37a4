"""Pretrained encoders: published weights, fetched and verified; their networks; and the statistics of clips in their layers.

The stage `fetch_weights` writes models/weights/NAME, and the stage `embed` data/features/NAME. A family is a kind of network with a
published format; one module per family or group of families has its network.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from finser.config.sections.known_weights import SPEECH_FAMILIES
from finser.encoders.base import Encoder
from finser.errors import FinserError
from finser.files import read_json

AGAIN = "delete the folder and run: dvc repro"


def build(config: dict) -> Encoder:
    """Return the network that a config.json describes, with random weights.

    Parameters
    ----------
    config : dict
        ``family``, the publisher's architecture, and ``preprocessor``, its preprocessor_config.json.

    Raises
    ------
    FinserError
        The family is unknown, or the network's library refuses the configuration.
    """
    family = config.get("family")
    if family not in SPEECH_FAMILIES:
        raise FinserError("no encoder of speech", where="config.json, family", expected=", ".join(SPEECH_FAMILIES), found=family)
    from finser.encoders import byol_s, speech, whisper

    module = {"whisper": whisper, "byol_s": byol_s}.get(family, speech)
    try:
        return module.build(config)
    except FinserError:
        raise
    except Exception as error:  # transformers checks a configuration in many places
        what = f"a configuration that {family} refuses ({' '.join(str(error).split())})"
        raise FinserError(what, where="config.json") from None


def load(folder: Path) -> Encoder:
    """Load the encoder of models/weights/NAME, ready for inference.

    Raises
    ------
    FinserError
        A file is missing, or the weights are not those of the configuration.
    """
    config, path = read_json(folder / "config.json"), folder / "model.safetensors"
    encoder = build(config)
    try:
        encoder.net.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do="run: dvc repro") from None
    except (SafetensorError, RuntimeError) as error:
        raise FinserError(f"weights that cannot be loaded ({' '.join(str(error).split())})", where=path, do=AGAIN) from None
    return encoder.eval().requires_grad_(False)


def described(config: dict) -> Encoder:
    """Return the network of a config.json without memory for its weights: its shapes alone."""
    with torch.device("meta"):
        return build(config)


def expected_shapes(config: dict) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of the network of a config.json, by name."""
    return {name: tuple(tensor.shape) for name, tensor in described(config).net.state_dict().items()}
