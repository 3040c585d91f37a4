"""Training of the front end on the Hann-windowed complex STFT of white noise, an intermediate value of librosa's features.

No recording is needed. The front end can represent the STFT exactly, so Adam with small batches and an exponentially decaying learning rate
reduces the error to float32's rounding.
"""

import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from finser import layout, machine
from finser.audio.frames import N_FFT
from finser.config.params import Params
from finser.config.sections.train_fin import TrainFrontEnd
from finser.files import write_json
from finser.fins.nets.base import count, frozen
from finser.fins.nets.transform import ROWS, FrontEnd, bins, mirrored
from finser.fins.store import save_fin
from finser.progress import say
from finser.seeds import seed_for
from finser.training.device import start_torch
from finser.training.loop import Task, fit
from finser.training.optimisers import Optimisation, adam_hold_then_decay

LIBRARIES = ("torch", "safetensors")
HELD_OUT = 1000  # noise frames that the error is measured on
CHECKS = 10  # validations in a training
DECADES = 3.5  # of the learning rate's decay
ENERGY = 768.0  # sum of the squared Hann window: the mean power of white noise in a bin


def train_front_end(params: Params) -> None:
    """Step: train the front end on the STFT of noise, or set it in closed form -> models/fins/front_end/."""
    section, device = params.train_front_end, start_torch()
    front_end = FrontEnd(torch.Generator().manual_seed(seed_for(params.seed, "front_end", "init"))).to(device)
    started = time.perf_counter()
    if section.init == "closed_form":
        history = [{"step": 0, "db": error_db(front_end.closed_form())}]
    else:
        history = fit(FrontEndTask(front_end, section, params.seed)).history
    seconds, db = time.perf_counter() - started, history[-1]["db"]
    if db > section.target_db:
        say(f"front end: {db:.1f} dB, short of {section.target_db:g} dB; more train_front_end.adam_steps would help")
    config = {
        "feature": "front_end",
        "topology": "three-stage transform, 32 x 8 x 8",
        "init": section.init,
        "trained": section.init == "random",
        "seed": params.seed,
        **count(front_end),
        "db": db,
        "db_at_initialisation": history[0]["db"],
        "steps": history[-1]["step"],
        **machine.settings(LIBRARIES),
    }
    write_json(layout.training_time("train_front_end"), {"seconds_train": round(seconds, 3)})
    save_fin(layout.fin("front_end"), frozen(front_end), config, history)
    say(f"front end ({section.init}): {db:.1f} dB on noise")


class FrontEndTask(Task):
    """Training of a front end on the STFT of fresh white noise, until ``adam_steps`` or ``target_db``.

    An epoch is a tenth of the steps.
    """

    def __init__(self, front_end: FrontEnd, section: TrainFrontEnd, seed: int) -> None:
        self.every = max(1, section.adam_steps // CHECKS)  # steps per epoch, except the last
        super().__init__("front end", front_end, -(-section.adam_steps // self.every))
        self.section, self.seed = section, seed

    def about(self) -> Iterator[object]:
        """Yield section and seed."""
        yield from (self.section, self.seed)

    def optimisation(self) -> Optimisation:
        """Return Adam on all weights."""
        return adam_hold_then_decay(self.net.parameters(), self.section.learning_rate, self.section.adam_steps, DECADES)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """Yield white noise, (batch, 2048)."""
        noise = torch.Generator().manual_seed(seed_for(self.seed, "front_end", "noise", epoch))
        for _ in range(self._steps(epoch) - self._steps(epoch - 1)):
            yield (torch.randn(self.section.batch_size, N_FFT, generator=noise),)

    def examples(self, batch: list[Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return the frames and their STFT."""
        (frames,) = batch
        return (frames,), stft(frames)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the complex spectrum, (17, batch, 128)."""
        return self.net.spectrum(frames)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean squared error."""
        return (output - target).square().mean()

    def before(self) -> list[dict]:
        """Return a record with the error before the first step."""
        return [{"step": 0, "db": error_db(self.net)}]

    def validate(self, epoch: int, train_loss: float) -> dict:
        """Measure the error on held-out noise."""
        return {"step": self._steps(epoch), "db": error_db(self.net)}

    def score(self, record: dict) -> float:
        """Return the negative error."""
        return -record["db"]

    def is_good_enough(self, record: dict) -> bool:
        """Return whether the error is at most ``target_db``."""
        return record["step"] > 0 and record["db"] <= self.section.target_db

    def _steps(self, epoch: int) -> int:
        """Return the number of steps completed after an epoch."""
        return min(self.every * epoch, self.section.adam_steps)


def stft(frames: Tensor) -> Tensor:
    """Return the exact transform in the layout of :meth:`FrontEnd.spectrum`, shape (17, batch, 128)."""
    window = torch.hann_window(N_FFT, device=frames.device)
    spectrum = torch.fft.rfft(frames * window)[:, bins().to(frames.device)]  # (batch, 1088)
    spectrum = torch.where(mirrored().to(frames.device), spectrum.conj(), spectrum).reshape(len(frames), ROWS, -1)
    return torch.cat([spectrum.real, spectrum.imag], dim=2).transpose(0, 1)


@torch.no_grad()
def error_db(front_end: FrontEnd) -> float:
    """Return the mean squared error of the complex spectrum on held-out white noise, in dB of the spectrum's mean power."""
    frames = torch.randn(HELD_OUT, N_FFT, generator=torch.Generator().manual_seed(seed_for("front_end", "held out")))
    frames = frames.to(front_end.window.device)
    error = 2 * (front_end.spectrum(frames) - stft(frames)).square().mean().item()  # of real and imaginary part together
    return 10 * math.log10(max(error / ENERGY, 1e-30))
