"""Where a training of a FIN stands, so that a killed one goes on and ends with the bytes of one that was not."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from finser import machine
from finser.files import whole_file
from finser.progress import say

STATE = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps per weight


class Checkpoint:
    """A safetensors file with weights, the best weights so far, Adam's state, the random generator and the history.

    Parameters
    ----------
    path : Path, optional
        Written whole or not at all at each :meth:`save`; whoever made the checkpoint removes it when the training is over. Without
        one nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self.path, self.key = path, ""

    def resume(
        self,
        fin: nn.Module,
        about: str,
        own: list[Tensor],
        best: list[Tensor],
        optimiser: Adam,
        schedule: LambdaLR,
        random: torch.Generator,
    ) -> list[dict[str, float]]:
        """Put everything back as it was at the last :meth:`save`, and return the history; [] if there was none of this training.

        A checkpoint of other settings or data (`about`), other code or another beginning is not of this training, and is left to be
        overwritten.
        """
        if self.path is None:
            return []
        self.key = _key(fin, about, random)
        found = self._read()
        if not found:
            return []
        tensors, history = found
        for i, (weight, kept) in enumerate(zip(own, best, strict=True)):
            weight.data.copy_(tensors[f"own.{i}"])
            kept.copy_(tensors[f"best.{i}"])
        state = {i: {name: tensors[f"{name}.{i}"] for name in STATE} for i in range(len(own))}
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
        random.set_state(tensors["random"])
        schedule.last_epoch = history[-1]["step"]
        for group, base, factor in zip(optimiser.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
            group["lr"] = base * factor(schedule.last_epoch)
        say(f"{self.path}: going on from step {history[-1]['step']}")
        return history

    def save(self, own: list[Tensor], best: list[Tensor], optimiser: Adam, random: torch.Generator, history: list[dict]) -> None:
        """Write where the training stands after the history's last row."""
        if self.path is None:
            return
        tensors = {"random": random.get_state()}
        for i, (weight, kept) in enumerate(zip(own, best, strict=True)):
            tensors |= {f"own.{i}": weight.detach(), f"best.{i}": kept, **{f"{name}.{i}": optimiser.state[weight][name] for name in STATE}}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self.path) as partial:
            kept = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
            save_file(kept, partial, metadata={"key": self.key, "history": json.dumps(history)})

    def _read(self) -> tuple[dict[str, Tensor], list[dict]] | None:
        try:
            with safe_open(self.path, "pt") as file:
                said = file.metadata() or {}
                if said.get("key") != self.key:
                    return None
                return {name: file.get_tensor(name) for name in file.keys()}, json.loads(said["history"])  # noqa: SIM118
        except (FileNotFoundError, SafetensorError):
            return None


def _key(fin: nn.Module, about: str, random: torch.Generator) -> str:
    """What determines a training: settings and data, the initial state, torch, the machine (:mod:`finser.machine`), and this package."""
    digest = hashlib.sha256(f"{machine.key(('torch', 'librosa'))} {about}".encode())
    for name, tensor in [*sorted(fin.state_dict().items()), ("random", random.get_state())]:
        digest.update(f"{name} {tuple(tensor.shape)}".encode() + tensor.cpu().contiguous().numpy().tobytes())
    for source in sorted(Path(__file__).parent.glob("**/*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
