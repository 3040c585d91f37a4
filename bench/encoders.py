"""Speed of encoders, for docs/encoders.md: `python bench/encoders.py [--measure] [--ravdess FOLDER]`.

With `--measure`, every network is timed with random weights, which cost the same as published ones, on one thread (or a GPU if there is
one), as the stage `embed` runs it: clips of 3 s, one at a time on a CPU. With `--ravdess`, the recordings in a folder are counted, and
their length without silent ends is measured. The results go to docs/encoder_speed.json. Without both, the table and the estimate in
docs/encoders.md are written anew from this file and from docs/measured/.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from finser.audio.frames import SR, to_int16
from finser.config import presets
from finser.encoders import build
from finser.encoders.base import RATE
from finser.encoders.sound import sound_of
from finser.encoders.statistics import of_clips
from finser.files import read_json, write_json, write_text
from finser.machine import cpu_model
from finser.training.device import start_torch

FILE, PAGE, MEASURED = Path("docs/encoder_speed.json"), Path("docs/encoders.md"), Path("docs/measured")
SIZES = {"wav2vec2_base": "wav2vec2 base", "hubert_base": "hubert base", "wavlm_base_plus": "wavlm base", "whisper_base": "whisper base"}
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


def minutes(found: dict, name: str) -> float:
    """Return the estimated minutes of `embed` for RAVDESS on two cores."""
    clip = SECONDS if name.startswith("whisper") else found["ravdess"]["seconds"]  # Whisper encodes 30 s for every clip
    return found["ravdess"]["clips"] * clip / found["encoders"][name]["speed"] / 2 / 60


def speed(found: dict) -> str:
    """Return the table."""
    lines = [
        f"Measured with random weights on {found['processor']} "
        f"(`python bench/encoders.py --measure`), clips of {SECONDS} s. The last column is for the {found['ravdess']['clips']:,} clips of "
        f"RAVDESS, {found['ravdess']['seconds']:.1f} s on average without their silent ends, on two cores.\n",
        "| encoder | parameters in millions | hidden states | seconds of sound per second | RAVDESS, minutes |",
        "| :-- | --: | --: | --: | --: |",
    ]
    for name, one in found["encoders"].items():
        size = f"{one['parameters'] / 1e6:.1f} | {one['layers']} | {one['speed']:.1f}"
        lines.append(f"| {name} | {size} | {minutes(found, name):.1f} |")
    return "\n".join(lines) + "\n"


def preset(found: dict) -> str:
    """Return the estimated time of the preset `encoders`: that of classifiers on encoders grows with the number of hidden states."""
    folds, names = len(presets.encoders().folds), [SIZES.get(name, name) for name in presets.FROZEN]
    encoding = sum(minutes(found, name) for name in names)
    states = sum(found["encoders"][name]["layers"] for name in names) / found["encoders"]["byol_s"]["layers"]
    heads = states * (trained("ravdess_encoder_heads", "byol_logistic") + trained("ravdess_encoder_heads", "byol_mlp"))
    others = trained("ravdess_fused", "small_cnn") + trained("ravdess_arms_fold_1", "fin_ensemble")
    parts = [round(one) for one in (encoding, folds * heads / 2 / 60, folds * others / 2 / 60)]
    return (
        f"The preset takes about {sum(parts)} minutes on two cores: {parts[0]} for `embed`, {parts[1]} for the classifiers on encoders, "
        f"and {parts[2]} for `small_cnn` and the classifier on frozen FINs. This is an estimate from the speeds below and the times of "
        f"training in `{MEASURED}`. It does not include the download, the augmentation and the training of the FINs.\n"
    )


def trained(run: str, model: str) -> float:
    """Return the mean seconds of a training."""
    return read_json(MEASURED / run / "costs.json")["speaker"][model]["seconds_train"]


def replaced(text: str, name: str, part: str) -> str:
    """Return a page with the part between the marks of a name replaced."""
    marks = f"<!-- {name} -->\n"
    before, _, after = text.split(marks)
    return f"{before}{marks}{part}{marks}{after}"


def page(text: str, found: dict) -> str:
    """Return docs/encoders.md with the table and the estimate."""
    return replaced(replaced(text, "speed", speed(found)), "preset", preset(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--ravdess", type=Path)
    given, results = parser.parse_args(), read_json(FILE)
    results |= measure() if given.measure else {}
    results |= {"ravdess": lengths(given.ravdess)} if given.ravdess else {}
    write_json(FILE, results)
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), read_json(FILE)))
