"""The front end's teacher: the Hann-windowed complex STFT of white noise frames, an intermediate value of librosa's features.

No recording is needed. Adam in small batches, with a learning rate that decays exponentially, gets there alone: the target is
exactly representable, so the error follows the square of the learning rate down to float32's rounding.
"""

import math
import time

import torch
from torch import Tensor

from finser import layout, machine
from finser.audio.frames import N_FFT
from finser.config.params import Params
from finser.config.sections.train_fin import TrainFrontEnd
from finser.files import write_json
from finser.fins.nets.base import count, frozen, start_torch
from finser.fins.nets.transform import ROWS, FrontEnd, bins, mirrored
from finser.fins.optimise import adam
from finser.fins.store import save_fin
from finser.progress import say
from finser.seeds import seed_for

LIBRARIES = ("torch", "safetensors")
HELD_OUT = 1000  # noise frames that the error is measured on
CHECKS = 10  # times in a training
DECADES = 3.5  # of the learning rate's decay
ENERGY = 768.0  # sum of the squared Hann window: the mean power of white noise in a bin

History = list[dict[str, float]]


def train_front_end(params: Params) -> None:
    """Step: teach the front end the STFT, or take it in closed form -> models/fins/front_end/."""
    section, device = params.train_front_end, start_torch()
    front_end = FrontEnd(torch.Generator().manual_seed(seed_for(params.seed, "front_end", "init"))).to(device)
    started = time.perf_counter()
    if section.init == "closed_form":
        front_end.closed_form()
        history: History = [{"step": 0, "db": error_db(front_end)}]
    else:
        history = teach(front_end, section, params.seed)
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


def teach(front_end: FrontEnd, section: TrainFrontEnd, seed: int) -> History:
    """Train in place on fresh noise until `adam_steps` or `target_db`; returns the error in dB at each tenth."""
    device = front_end.window.device
    noise = torch.Generator().manual_seed(seed_for(seed, "front_end", "noise"))
    optimiser, schedule = adam(front_end.parameters(), section.learning_rate, section.adam_steps, DECADES)
    history: History = [{"step": 0, "db": error_db(front_end)}]
    for step in range(1, section.adam_steps + 1):
        frames = torch.randn(section.batch_size, N_FFT, generator=noise).to(device)
        optimiser.zero_grad()
        loss = (front_end.spectrum(frames) - stft(frames)).square().mean()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % max(1, section.adam_steps // CHECKS) == 0 or step == section.adam_steps:
            history.append({"step": step, "db": error_db(front_end)})
            if history[-1]["db"] <= section.target_db:
                break
    return history


def stft(frames: Tensor) -> Tensor:
    """The teacher: what :meth:`FrontEnd.spectrum` is of the exact transform, shape (17, batch, 128)."""
    window = torch.hann_window(N_FFT, device=frames.device)
    spectrum = torch.fft.rfft(frames * window)[:, bins().to(frames.device)]  # (batch, 1088)
    spectrum = torch.where(mirrored().to(frames.device), spectrum.conj(), spectrum).reshape(len(frames), ROWS, -1)
    return torch.cat([spectrum.real, spectrum.imag], dim=2).transpose(0, 1)


@torch.no_grad()
def error_db(front_end: FrontEnd) -> float:
    """Mean squared error of the complex spectrum on held-out white noise, in dB of the spectrum's mean power."""
    frames = torch.randn(HELD_OUT, N_FFT, generator=torch.Generator().manual_seed(seed_for("front_end", "held out")))
    frames = frames.to(front_end.window.device)
    error = 2 * (front_end.spectrum(frames) - stft(frames)).square().mean().item()  # of real and imaginary part together
    return 10 * math.log10(max(error / ENERGY, 1e-30))
