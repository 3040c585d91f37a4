"""Checkpoints of training runs: a killed run resumes from its checkpoint, and ends with the same bytes as an uninterrupted one."""

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

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # state of Adam and AdamW per weight
EVERY = 20.0  # seconds between two checkpoints; affects only how much work a kill costs, no result
LIBRARIES = ("torch", "transformers", "librosa")
PACKAGE = Path(__file__).parents[1]
CODE = (  # files below PACKAGE whose code a training run executes
    "classifiers/*.py",
    "models/**/*.py",
    "training/*.py",
    "encoders/*.py",
    "features/*.py",
    "fins/**/*.py",
    "audio/frames.py",
    "audio/shards.py",
    "scores/metrics.py",
    "seeds.py",
)


@dataclass(frozen=True)
class State:
    """State of a training run after an epoch.

    Attributes
    ----------
    tensors : dict
        Current weights, the best weights so far (if they are kept), and the optimiser's moments.
    history : list of dict
        One record per epoch.
    epoch : int
        Number of completed epochs.
    seconds : float
        Duration of the completed epochs, summed over all processes of the run.
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
    """A safetensors file with a :class:`State`: its tensors, and its other fields as JSON.

    Attributes
    ----------
    path : Path, optional
        Written whole or not at all. The caller removes it after training. If None, no checkpoint is kept.
    key : str
        Digest of all that determines the training. A file with another key belongs to another run, and is overwritten.
    """

    path: Path | None
    key: str
    saved: float = field(default_factory=time.monotonic)

    def read(self) -> State:
        """Return the last saved state, or an empty state if this run has saved none."""
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
        """Write the state, unless the last checkpoint is less than :data:`EVERY` seconds old."""
        if self.path is None or time.monotonic() - self.saved < EVERY:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.tensors.items()}
        said = {"history": state.history, "epoch": state.epoch, "seconds": state.seconds, "schedule": state.schedule}
        with whole_file(self.path) as partial:
            save_file(kept, partial, metadata={"key": self.key, "state": json.dumps(said)})
        self.saved = time.monotonic()


def moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state by name: ``exp_avg.3`` belongs to the fourth weight."""
    state = optimizer.state_dict()["state"]
    return {f"{name}.{number}": kept[name] for number, kept in state.items() for name in MOMENTS}


def put_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Load the state that :func:`moments` returned into an optimiser."""
    numbers = sorted({int(name.split(".")[1]) for name in tensors if name.startswith("step.")})
    state = {number: {name: tensors[f"{name}.{number}"] for name in MOMENTS} for number in numbers}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def key_of(net: nn.Module, about: Iterable[object]) -> str:
    """Return a digest of all that determines a training run: initial weights, `about`, the machine, library versions and code.

    Parameters
    ----------
    net : nn.Module
        Network with its initial weights.
    about : iterable
        Settings (objects with a complete ``repr``) and data (bytes).
    """
    digest = hashlib.blake2b(machine.key(LIBRARIES).encode())
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode() + tensor.cpu().contiguous().numpy().tobytes())
    for part in about:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    for source in sorted(path for pattern in CODE for path in PACKAGE.glob(pattern)):
        digest.update(source.read_bytes())
    return digest.hexdigest()
