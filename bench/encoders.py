"""Speed of encoders, for docs/encoders.md: `python bench/encoders.py [--measure] [--ravdess FOLDER]`.

With `--measure`, every network is timed with random weights, which cost the same as published ones, on one thread (or a GPU if there is
one), as the stage `embed` runs it: clips of 3 s, one at a time on a CPU. With `--ravdess`, the recordings in a folder are counted, and
their length without silent ends is measured. The results go to docs/encoder_speed.json. Without both, the table in docs/encoders.md is
written anew from this file.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from finser.audio.frames import SR, to_int16
from finser.encoders import build
from finser.encoders.base import RATE
from finser.encoders.sound import sound_of
from finser.encoders.statistics import of_clips
from finser.files import read_json, write_json, write_text
from finser.machine import cpu_model
from finser.training.device import start_torch

FILE, PAGE, MARKS = Path("docs/encoder_speed.json"), Path("docs/encoders.md"), "<!-- speed -->\n"
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
NORMS = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
WHISPER = {"tiny": (384, 4, 6), "base": (512, 6, 8), "small": (768, 12, 12)}  # width, layers, heads
SECONDS, CLIPS = 3, 8


def sizes() -> dict[str, dict]:
    """Return the configurations of the published sizes by name; those of base models are transformers' defaults."""
    base = {f"{family} base": {"family": family} for family in ("wav2vec2", "hubert", "wavlm", "data2vec")}
    large = {f"{family} large": {"family": family, **LARGE, **NORMS} for family in ("wav2vec2", "hubert", "wavlm")}
    return {"byol_s": {"family": "byol_s"}, **base, **large, **{f"whisper {name}": whisper(*size) for name, size in WHISPER.items()}}


def whisper(width: int, layers: int, heads: int) -> dict:
    """Return the configuration of a size of Whisper's encoder."""
    dense = {"encoder_attention_heads": heads, "encoder_ffn_dim": 4 * width}
    return {"family": "whisper", "d_model": width, "encoder_layers": layers, **dense}


def measure() -> dict:
    """Time every network."""
    device, rng, rows = start_torch(), np.random.default_rng(0), {}
    clips = [rng.normal(0, 3000, SECONDS * SR).astype(np.int16) for _ in range(CLIPS)]
    for name, config in sizes().items():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            encoder = build({**config, "preprocessor": {"do_normalize": True}}).eval().to(device)
        of_clips(encoder, clips[:1])  # warm-up
        started = time.perf_counter()
        of_clips(encoder, clips)
        speed = CLIPS * SECONDS / (time.perf_counter() - started)
        numbers = sum(parameter.numel() for parameter in encoder.net.parameters())
        rows[name] = {"parameters": numbers, "layers": encoder.n_layers, "speed": round(speed, 2)}
        print(name, rows[name], flush=True)
    return {"processor": torch.cuda.get_device_name() if device == "cuda" else f"one core of {cpu_model()}", "encoders": rows}


def lengths(folder: Path) -> dict:
    """Return the number of recordings below a folder, and their mean length in seconds without silent ends."""
    seconds = []
    for path in sorted(folder.rglob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        seconds.append(len(sound_of(to_int16(soxr.resample(samples.mean(1), rate, SR))[0])) / RATE)
    return {"clips": len(seconds), "seconds": round(sum(seconds) / len(seconds), 3)}


def part(found: dict) -> str:
    """Return the table."""
    lines = [
        f"Measured with random weights on {found['processor']} "
        f"(`python bench/encoders.py --measure`), clips of {SECONDS} s. The last column is for the {found['ravdess']['clips']:,} clips of "
        f"RAVDESS, {found['ravdess']['seconds']:.1f} s on average without their silent ends, on two cores.\n",
        "| encoder | parameters in millions | hidden states | seconds of sound per second | RAVDESS, minutes |",
        "| :-- | --: | --: | --: | --: |",
    ]
    for name, one in found["encoders"].items():
        clip = SECONDS if name.startswith("whisper") else found["ravdess"]["seconds"]  # Whisper encodes 30 s for every clip
        minutes = found["ravdess"]["clips"] * clip / one["speed"] / 2 / 60
        lines.append(f"| {name} | {one['parameters'] / 1e6:.1f} | {one['layers']} | {one['speed']:.1f} | {minutes:.1f} |")
    return "\n".join(lines) + "\n"


def page(text: str, found: dict) -> str:
    """Return docs/encoders.md with the table."""
    before, _, after = text.split(MARKS)
    return f"{before}{MARKS}{part(found)}{MARKS}{after}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--ravdess", type=Path)
    given, results = parser.parse_args(), read_json(FILE)
    results |= measure() if given.measure else {}
    results |= {"ravdess": lengths(given.ravdess)} if given.ravdess else {}
    write_json(FILE, results)
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), read_json(FILE)))
