"""Bytes and time of training in portable mode: `python bench/portable.py docs/portable.json`.

Every network is trained for two epochs on the same random inputs, one process per setting: with the CPU's default instructions, with AVX2
only, and in portable mode (the environment in docs/reproducibility.md), alone and with NumPy, the C library and OpenBLAS restricted to SSE.
The JSON has the settings, digests of the weights, and the seconds of the training.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

PORTABLE = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Nehalem",
}
SSE = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F,-AVX512VL",
}
WAYS = {
    "native": {},
    "ATEN_CPU_CAPABILITY=avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "oneDNN, MKL and OpenBLAS restricted": {name: value for name, value in PORTABLE.items() if name != "ATEN_CPU_CAPABILITY"},
    "the same, ATEN_CPU_CAPABILITY=avx2": {**PORTABLE, "ATEN_CPU_CAPABILITY": "avx2"},
    "portable": PORTABLE,
    "portable, NumPy and C library with SSE": {**PORTABLE, **SSE},
}
MODELS = ("svm", "mlp", "small_cnn", "resnet18")
CLIPS = 64


def train(model: str) -> tuple[str, float]:
    """Train a network; return the digest of the weights after two epochs, and seconds."""
    import tempfile

    from finser.config.sections.classifiers import KINDS
    from finser.emotions import EMOTIONS
    from finser.features.examples import Examples
    from finser.models import begin
    from finser.seeds import generator

    options = KINDS[model]() if model == "svm" else KINDS[model](epochs=2)
    rng = generator("portable", model)
    shape = {"svm": (211,), "mlp": (200,)}.get(model, (110, getattr(getattr(options, "log_mel", None), "bands", 1)))
    inputs = [(10 * rng.standard_normal(shape) - 30).astype(np.float32) for _ in range(CLIPS)]
    targets = np.arange(CLIPS) % len(EMOTIONS)
    names = [f"c/{number}" for number in range(CLIPS)]
    parts = [Examples(part, names, names, ["original"] * CLIPS, targets, inputs, EMOTIONS) for part in ("train", "validation")]
    classifier = begin(options, (0, model), len(EMOTIONS))
    started = time.perf_counter()
    classifier.fit(*parts, (0, model))
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        classifier.save(Path(folder))
        return hashlib.sha256((Path(folder) / "model.safetensors").read_bytes()).hexdigest()[:16], round(seconds, 2)


def main() -> None:
    """Write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output")
    output = parser.parse_args().output
    if output == "-":
        print(json.dumps({model: train(model) for model in MODELS}))
        return
    found = {}
    for way, settings in WAYS.items():
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **settings}
        done = subprocess.run([sys.executable, __file__, "-"], env=environment, capture_output=True, text=True, check=True)
        found[way] = json.loads(done.stdout.splitlines()[-1])
        print(way, found[way], flush=True)
    from finser.machine import cpu_model

    said = {"cpu": cpu_model(), "settings": WAYS, "weights and seconds": found}
    Path(output).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
