"""Speed of the stage `label`: `python bench/labels.py [FOLDER]`. One thread each, two where it says so; best of several rounds.

The audio is the first 60 recordings below FOLDER, or noise bursts without FOLDER. The lower limit is NumPy's FFT alone on the same frames,
in librosa's precision (float64); everything else that a label needs takes additional time.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import librosa
import numpy as np
import scipy.fft
import torch

from finser.audio.frames import SR, frames, to_float
from finser.audio.resample import resample_clip
from finser.features.labels import chroma_bank, features, mel_bank
from finser.seeds import generator

CLIPS, ROUNDS = 60, 5
REPEATS = 3
TWO = ", two processes"
Clips = list[np.ndarray]


def recordings(folder: Path | None) -> Clips:
    """int16 clips at 22,050 Hz."""
    if folder:
        return [resample_clip(path, SR, "HQ")[0] for path in sorted(folder.rglob("*.wav"))[:CLIPS]]
    rng = generator("bench labels")
    return [(3000 * rng.standard_normal(SR * 3) * np.sin(np.linspace(0, 9, SR * 3)) ** 2).astype(np.int16) for _ in range(CLIPS)]


def five_calls(y: np.ndarray) -> None:
    """librosa's five calls with their defaults."""
    features(y, "librosa_default")


def five_exact_calls(y: np.ndarray) -> None:
    """The same without tuning estimate and without the clip-wide lower limit of MFCC."""
    y = to_float(y)
    librosa.feature.rms(y=y)
    librosa.feature.zero_crossing_rate(y)
    librosa.feature.chroma_stft(y=y, sr=SR, tuning=0.0)
    librosa.feature.mfcc(S=librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SR), top_db=None), n_mfcc=20)
    librosa.feature.melspectrogram(y=y, sr=SR)


def shared_stft(y: np.ndarray) -> None:
    """librosa's functions on one STFT."""
    y = to_float(y)
    power = np.abs(librosa.stft(y)) ** 2
    mel = librosa.feature.melspectrogram(S=power, sr=SR)
    librosa.feature.rms(y=y)
    librosa.feature.zero_crossing_rate(y)
    librosa.feature.chroma_stft(S=power, sr=SR, tuning=0.0)
    librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=20)


def with_torch(clips: Clips) -> None:
    """torch, float32, ten clips at a time."""
    window, mel, chroma = torch.hann_window(2048), torch.from_numpy(mel_bank().T), torch.from_numpy(chroma_bank().T)
    dct = torch.from_numpy(scipy.fft.dct(np.eye(128, dtype=np.float32), axis=0, norm="ortho")[:20].T.copy())
    for first in range(0, len(clips), 10):
        framed = torch.cat([torch.from_numpy(to_float(np.pad(y, 1024))).unfold(0, 2048, 512) for y in clips[first : first + 10]])
        power = torch.view_as_real(torch.fft.rfft(framed * window)).square().sum(-1)  # (n, 1025)
        mels, pitches = power @ mel, power @ chroma
        _ = pitches / pitches.amax(1, keepdim=True).clamp_min(1e-30), 10 * mels.clamp_min(1e-10).log10() @ dct
        _ = framed.square().mean(1).sqrt(), (framed.signbit().diff(dim=1)).float().mean(1)


def bare_fft(clips: Clips) -> None:
    """NumPy's FFT of every frame, 32 at a time, without any feature."""
    for y in clips:
        framed = frames(to_float(y))
        block = np.array(framed[:32], np.float64)
        for _ in range(0, len(framed), 32):
            np.fft.rfft(block, axis=1)


def each(function: Callable[[np.ndarray], object]) -> Callable[[Clips], None]:
    """Apply a function of one clip to all clips."""

    def of_all(clips: Clips) -> None:
        for y in clips:
            function(y)

    return of_all


def finser(clips: Clips) -> None:
    """The stage `label`, without reading and writing."""
    for y in clips:
        features(y)


def librosas(clips: Clips) -> None:
    """librosa's five calls with their defaults for every clip."""
    for y in clips:
        five_calls(y)


def repeatedly(job: tuple[Callable[[Clips], None], Clips]) -> None:
    """Run a function REPEATS times, so that sending the clips to the process takes a small part of the time."""
    function, clips = job
    for _ in range(REPEATS):
        function(clips)


def in_two(pool: ProcessPoolExecutor, function: Callable[[Clips], None]) -> Callable[[Clips], None]:
    """Run a function in two processes at once, each with half of the clips."""

    def of_all(clips: Clips) -> None:
        list(pool.map(repeatedly, [(function, clips[::2]), (function, clips[1::2])]))

    return of_all


def best(function: Callable[[Clips], None], clips: Clips) -> float:
    """Seconds of the best round."""
    function(clips)
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        function(clips)
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    clips = recordings(parser.parse_args().folder)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    seconds = sum(map(len, clips)) / SR
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        ways = {
            "librosa, five default calls": each(five_calls),
            "librosa, five calls, tuning=0, top_db=None": each(five_exact_calls),
            "librosa, one shared STFT": each(shared_stft),
            "torch, float32": with_torch,
            f"librosa, five default calls{TWO}": in_two(pool, librosas),
            "finser, one process": finser,
            f"finser{TWO}": in_two(pool, finser),
            "NumPy's bare FFT (the limit)": bare_fft,
        }
        times = {name: best(function, clips) for name, function in ways.items()}
    times = {name: seconds / (REPEATS if name.endswith(TWO) else 1) for name, seconds in times.items()}
    slowest, limit = times["librosa, five default calls"], times["NumPy's bare FFT (the limit)"]
    print(f"{len(clips)} clips, {seconds:.0f} s of audio\n")
    print("| way | ms per s of audio | times the default calls in one process | bare FFTs |\n|---|---|---|---|")
    for name, taken in times.items():
        of_limit = "" if name.endswith(TWO) else f"{taken / limit:.2f}"  # the limit is that of one process
        print(f"| {name} | {1000 * taken / seconds:.3f} | {slowest / taken:.1f} | {of_limit} |")
    alike = times[f"librosa, five default calls{TWO}"] / times[f"finser{TWO}"]
    print(f"\nTwo processes of finser are {alike:.1f} times as fast as two of librosa's default calls.")


if __name__ == "__main__":
    main()
