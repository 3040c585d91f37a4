"""The state of a training on disk: a training that was killed resumes from it, and ends with the same bytes."""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from finser import machine
from finser.files import whole_file
from finser.progress import say

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam and AdamW keep per weight
EVERY = 20.0  # seconds between two savings; it changes no result, only how much work a kill costs
LIBRARIES = ("torch", "transformers", "librosa")
PACKAGE = Path(__file__).parents[1]
CODE = (  # files below PACKAGE that a training runs
    "classifiers/*.py",
    "models/**/*.py",
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
    """The state of a training after an epoch.

    Attributes
    ----------
    tensors : dict
        Weights, the best weights so far where these are kept, and the optimiser's moments.
    history : list of dict
        One record per epoch.
    epoch : int
        Epochs that are done.
    seconds : float
        Their duration, in whatever process they ran.
    schedule : dict
        State of the learning-rate schedule.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)
    epoch: int = 0
    seconds: float = 0.0
    schedule: dict = field(default_factory=dict)


@dataclass
class Checkpoint:
    """A safetensors file with a :class:`State`: its tensors, and the rest as JSON.

    Attributes
    ----------
    path : Path, optional
        Written whole or not at all; the caller of the training removes it at the end. Without a path nothing is kept.
    key : str
        Digest of all that determines the training; a file with another key belongs to another training, and is overwritten.
    """

    path: Path | None
    key: str
    saved: float = field(default_factory=time.monotonic)

    def read(self) -> State:
        """The state as last saved; an empty one if no state of this training was saved."""
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
        say(f"{self.path}: resuming after epoch {found.epoch}")
        return found

    def save(self, state: State) -> None:
        """Write the state, unless another was written less than :data:`EVERY` seconds ago."""
        if self.path is None or time.monotonic() - self.saved < EVERY:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.tensors.items()}
        said = {"history": state.history, "epoch": state.epoch, "seconds": state.seconds, "schedule": state.schedule}
        with whole_file(self.path) as partial:
            save_file(kept, partial, metadata={"key": self.key, "state": json.dumps(said)})
        self.saved = time.monotonic()


def moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state by name: ``exp_avg.3`` belongs to the fourth weight."""
    state = optimizer.state_dict()["state"]
    return {f"{name}.{number}": kept[name] for number, kept in state.items() for name in MOMENTS}


def put_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The reverse of :func:`moments`."""
    numbers = sorted({int(name.split(".")[1]) for name in tensors if name.startswith("step.")})
    state = {number: {name: tensors[f"{name}.{number}"] for name in MOMENTS} for number in numbers}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def key_of(net: nn.Module, about: Iterable[object]) -> str:
    """Digest of what determines a training: initial weights, `about`, the machine, library versions, and the code that runs.

    Parameters
    ----------
    net : nn.Module
        With its initial weights.
    about : iterable
        Settings (anything whose ``repr`` says all of it) and data (bytes).
    """
    digest = hashlib.blake2b(machine.key(LIBRARIES).encode())
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode() + tensor.cpu().contiguous().numpy().tobytes())
    for part in about:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    for source in sorted(path for pattern in CODE for path in PACKAGE.glob(pattern)):
        digest.update(source.read_bytes())
    return digest.hexdigest()
