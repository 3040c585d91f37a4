"""Where the training of a network stands, so that a killed one goes on and ends with the bytes of one that was not."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from finser import machine
from finser.files import whole_file
from finser.progress import say

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps per weight
EVERY = 20.0  # seconds between two savings: it changes no result, only what a kill costs
PACKAGE = Path(__file__).parents[1]
# below PACKAGE: what a training runs
CODE = (
    "models/**/*.py",
    "classifiers/*.py",
    "training/*.py",
    "features/*.py",
    "fins/**/*.py",
    "audio/frames.py",
    "audio/shards.py",
    "scores/metrics.py",
    "seeds.py",
)


@dataclass(frozen=True)
class State:
    """Where a training stands after an epoch.

    Attributes
    ----------
    tensors : dict
        Weights, the best weights so far, AdamW's moments.
    history : list of dict
        A record per epoch.
    seconds : float
        That these epochs took, whatever process they ran in.
    schedule : dict
        State of the rate's scheduler.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    schedule: dict = field(default_factory=dict)


@dataclass
class Checkpoint:
    """A safetensors file with a :class:`State`: its tensors, and the rest as JSON.

    Attributes
    ----------
    path : Path, optional
        Written whole or not at all; whoever made the checkpoint removes it when the training is over. Without one nothing is kept.
    key : str
        Digest of all that determines the training; a file of another key is not of this training, and is overwritten.
    """

    path: Path | None
    key: str
    saved: float = field(default_factory=time.monotonic)

    def read(self) -> State:
        """As last saved; an empty one if there is nothing of this training."""
        if self.path is None:
            return State()
        try:
            with safe_open(self.path, "pt") as file:
                said = file.metadata() or {}
                if said.get("key") != self.key:
                    return State()
                found = State({name: file.get_tensor(name) for name in file.keys()}, **json.loads(said["state"]))  # noqa: SIM118
        except (FileNotFoundError, SafetensorError):
            return State()
        say(f"{self.path}: going on after epoch {len(found.history)}")
        return found

    def save(self, state: State) -> None:
        """Write where the training stands, unless it was written a moment ago."""
        if self.path is None or time.monotonic() - self.saved < EVERY:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.tensors.items()}
        said = {"history": state.history, "seconds": state.seconds, "schedule": state.schedule}
        with whole_file(self.path) as partial:
            save_file(kept, partial, metadata={"key": self.key, "state": json.dumps(said)})
        self.saved = time.monotonic()


def moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """AdamW's state by name: ``exp_avg.3`` belongs to the fourth weight."""
    state = optimizer.state_dict()["state"]
    return {f"{name}.{number}": kept[name] for number, kept in state.items() for name in MOMENTS}


def put_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The reverse of :func:`moments`."""
    numbers = sorted({int(name.split(".")[1]) for name in tensors if name.startswith("step.")})
    state = {number: {name: tensors[f"{name}.{number}"] for name in MOMENTS} for number in numbers}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def key_of(net: nn.Module, names: tuple, options: Any, inputs: list[list[Any]], targets: list[np.ndarray]) -> str:
    """What determines a training: settings, data, initial weights, the machine, versions, and the code that runs."""
    libraries = ("torch", "lightning", "transformers", "librosa")
    digest = hashlib.blake2b(f"{machine.key(libraries)} {names} {options!r}".encode())
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    for part in inputs:
        for example in part:
            for array in example if isinstance(example, tuple) else (example,):
                digest.update(np.ascontiguousarray(array).tobytes())
    for array in targets:
        digest.update(array.tobytes())
    for source in sorted(path for pattern in CODE for path in PACKAGE.glob(pattern)):
        digest.update(source.read_bytes())
    return digest.hexdigest()
