"""Speed of encoders: `python bench/encoders.py [NAME ...]`, one thread; weights are random, which cost the same.

A line per network: seconds of sound that one core encodes per second, for clips of 3 s, as the stage `embed` does it, and the number of
parameters. The sizes are those of the published models (docs/encoders.md).
"""

import sys
import time

import numpy as np
import torch

from finser.audio.frames import SR
from finser.encoders import build
from finser.encoders.statistics import of_clips
from finser.training.device import start_torch

BASE = {}  # the defaults of transformers
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
NORMS = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
WHISPER = {"tiny": (384, 4, 6), "base": (512, 6, 8), "small": (768, 12, 12)}
SECONDS, CLIPS = 3, 8


def sizes() -> dict[str, dict]:
    """Return the configurations by name."""
    speech = {f"{family}_base": {"family": family, **BASE} for family in ("wav2vec2", "hubert", "wavlm", "data2vec")}
    large = {f"{family}_large": {"family": family, **LARGE, **NORMS} for family in ("wav2vec2", "hubert", "wavlm")}
    whisper = {
        f"whisper_{name}": {
            "family": "whisper",
            "d_model": width,
            "encoder_layers": layers,
            "encoder_attention_heads": heads,
            "encoder_ffn_dim": 4 * width,
        }
        for name, (width, layers, heads) in WHISPER.items()
    }
    return {"byol_s": {"family": "byol_s"}, **speech, **large, **whisper}


def main() -> None:
    """Print a line for each network."""
    device, rng = start_torch(), np.random.default_rng(0)
    clips = [rng.normal(0, 3000, SECONDS * SR).astype(np.int16) for _ in range(CLIPS)]
    print(f"| encoder | parameters in millions | s of sound per second, {device} |\n| :-- | --: | --: |")
    for name, config in sizes().items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        with torch.random.fork_rng():
            torch.manual_seed(0)
            encoder = build({**config, "preprocessor": {}}).eval().to(device)
        of_clips(encoder, clips[:1])  # warm-up
        started = time.perf_counter()
        of_clips(encoder, clips)
        speed = CLIPS * SECONDS / (time.perf_counter() - started)
        millions = sum(parameter.numel() for parameter in encoder.net.parameters()) / 1e6
        print(f"| {name} | {millions:.1f} | {speed:.1f} |", flush=True)


if __name__ == "__main__":
    main()
