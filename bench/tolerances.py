"""Deviations of the labels from librosa's calls: `python bench/tolerances.py FOLDER docs/tolerances.json`.

All .wav files below FOLDER are read and resampled as by the stage `resample`. The JSON has, per feature: the largest absolute deviation
with its clip and frame, for mel the largest deviation relative to librosa's value, and the number of frames above the tests' tolerance.
"""

import argparse
import json
from pathlib import Path

import librosa
import numpy as np
from threadpoolctl import threadpool_limits

from finser.audio.frames import SR
from finser.audio.resample import resample_clip
from finser.features.labels import features
from finser.machine import cpu_model

TOLERANCES = {"rms": 1e-7, "zcr": 1e-7, "chroma": 3e-6, "mfcc": 1e-3, "mel": 1e-6}  # mel: relative


def reference(y: np.ndarray) -> dict[str, np.ndarray]:
    """The five librosa calls of docs/features.md, each (n_frames, dim)."""
    padded = np.pad(y.astype(np.float32) / 32768, 1024)
    power = np.abs(librosa.stft(padded, n_fft=2048, hop_length=512, center=False)) ** 2
    mel = librosa.feature.melspectrogram(S=power, sr=SR)
    values = {
        "rms": librosa.feature.rms(y=padded, frame_length=2048, hop_length=512, center=False),
        "zcr": librosa.feature.zero_crossing_rate(padded, frame_length=2048, hop_length=512, center=False),
        "chroma": librosa.feature.chroma_stft(S=power, sr=SR, tuning=0.0),
        "mfcc": librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), sr=SR, n_mfcc=20),
        "mel": mel,
    }
    return {name: value.T for name, value in values.items()}


def deviations(y: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Largest absolute and relative deviation of every frame, per feature, shape (n_frames,) each."""
    found, expected = features(y), reference(y)
    result = {}
    for name, value in expected.items():
        off = np.abs(found[name] - value.astype(np.float64))
        relative = off / np.where(value == 0, 1, np.abs(value)).astype(np.float64)
        result[name] = off.max(axis=1), relative.max(axis=1)
    return result


def main() -> None:
    """Write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.rglob("*.wav"))
    worst = {name: {"absolute": -1.0, "above": 0, "tolerance": limit} for name, limit in TOLERANCES.items()}
    n_frames = 0
    for path in paths:
        with threadpool_limits(1):
            found = deviations(resample_clip(path, SR, "HQ")[0])
        n_frames += len(found["rms"][0])
        for name, (absolute, relative) in found.items():
            of = worst[name]
            if absolute.max() > of["absolute"]:
                of |= {"absolute": float(absolute.max()), "clip": path.name, "frame": int(absolute.argmax())}
            if name == "mel":  # the others pass through or near zero
                of["relative"] = max(of.get("relative", 0), float(relative.max()))
            of["above"] += int(((relative if name == "mel" else absolute) > TOLERANCES[name]).sum())
    said = {"clips": len(paths), "frames": n_frames, "cpu": cpu_model(), "librosa": librosa.__version__, "features": worst}
    arguments.output.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(said, indent=1))


if __name__ == "__main__":
    main()
