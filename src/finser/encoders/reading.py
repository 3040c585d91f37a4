"""Published files of weights: tensors of a safetensors file or a restricted pickle, and configurations, of which no code is run."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from finser.encoders.base import RATE
from finser.errors import FinserError
from finser.files import impostor, read_json, why

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
MODEL_TYPES = {  # family -> model_type in its config.json
    "deit": "deit",
    "ast": "audio-spectrogram-transformer",
    "wav2vec2": "wav2vec2",
    "hubert": "hubert",
    "wavlm": "wavlm",
    "data2vec": "data2vec-audio",
    "whisper": "whisper",
}


@dataclass(frozen=True)
class Published:
    """Files of published weights on this disk.

    Attributes
    ----------
    weights : Path
        Tensors.
    config, preprocessor : Path, optional
        config.json and preprocessor_config.json, if the publisher has them.
    commit : str, optional
        Commit of the repository on a hub.
    stated : str, optional
        SHA-256 of `weights` as the hub states it.
    """

    weights: Path
    config: Path | None = None
    preprocessor: Path | None = None
    commit: str | None = None
    stated: str | None = None


def read(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file .safetensors, or of a pickle that holds a state dict.

    Raises
    ------
    FinserError
        The file is neither, or a pickle that holds anything but tensors: `torch.load` with ``weights_only=True`` refuses it, and runs
        nothing of it.
    """
    if other := impostor(path):
        raise FinserError(f"{other} in place of weights", where=path)
    return _safetensors(path) if path.suffix == ".safetensors" else _pickle(path)


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise FinserError(f"not a safetensors file ({why(error)})", where=path, do="it is incomplete, or of another format") from None


def _pickle(path: Path) -> dict[str, Tensor]:
    try:
        # mmap: tensors that are dropped are never in memory; files of torch before 1.6, which are no zip archives, cannot be mapped
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except UnpicklingError as error:
        first = " ".join(str(error).split("\n\n")[0].split())
        what = f"a pickle that torch's restricted loader refuses, because it is damaged or holds more than tensors ({first})"
        raise FinserError(what, where=path, do="nothing of it was run; use a safetensors file") from None
    except Exception as error:  # a damaged archive can break any part of torch's reader
        raise FinserError(f"not a file of torch.save ({type(error).__name__}: {why(error)})", where=path) from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise FinserError("not a state dict", where=path, expected="tensors by name")
    return found


def configuration_of(files: Published, family: str) -> tuple[dict, dict]:
    """Return the publisher's config.json and preprocessor_config.json; empty ones for files that do not exist.

    Raises
    ------
    FinserError
        A file is no JSON object or names code to run, the model is of another architecture, or the rate is not 16 kHz.
    """
    config, preprocessor = (_object(path) if path else {} for path in (files.config, files.preprocessor))
    expected = MODEL_TYPES.get(family)
    if files.config and config.get("model_type") != expected:
        raise FinserError("another architecture", where=files.config, expected=f"model_type {expected}", found=config.get("model_type"))
    rate = preprocessor.get("sampling_rate", RATE)
    if rate != RATE:
        raise FinserError("another sampling rate", where=files.preprocessor, expected=f"{RATE} Hz", found=f"{rate} Hz")
    return config, preprocessor


def _object(path: Path) -> dict:
    found = read_json(path)
    if not isinstance(found, dict):
        raise FinserError("not a JSON object", where=path)
    if "auto_map" in found:
        what = "names code of the repository to run (auto_map)"
        raise FinserError(what, where=path, do="finser runs no such code: use weights of an architecture of transformers")
    return found
