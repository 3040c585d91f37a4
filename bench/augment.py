"""Speed of the variants `noise` and `speed_pitch`, compared with librosa's two calls and NumPy's noise, in one thread.

Run it by hand after a change to finser.audio.augment::

    python bench/augment.py [--seconds 2.5] [--repeats 10]

Both are timed in turn, and the best of all repeats counts. Other load on the machine then affects both equally.
"""

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from finser.audio import augment
from finser.audio.frames import SR
from finser.audio.shards import AudioRow
from finser.config.sections.augment import Augment


def main() -> None:
    """Print the times and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.5)
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    clip = voice(given.seconds)
    y = clip.audio / 32768
    with threadpool_limits(1):
        jobs = {
            "librosa": lambda: (librosa_noise(y), librosa_speed_pitch(y)),
            "finser": lambda: augment.variants(clip, Augment(), 0),
            "librosa, speed_pitch only": lambda: librosa_speed_pitch(y),
            "finser, speed_pitch only": lambda: augment.variants(clip, Augment(variants=("speed_pitch",)), 0),
        }
        best = best_of(jobs, given.repeats)
    for name, seconds in best.items():
        print(f"{name}: {1000 * seconds:.2f} ms")
    print(f"both variants: {best['librosa'] / best['finser']:.1f} times as fast as librosa's two calls and NumPy's noise")
    print(f"speed_pitch: {best['librosa, speed_pitch only'] / best['finser, speed_pitch only']:.1f} times as fast")
    print(f"a clip of {given.seconds} s, best of {given.repeats}, load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def voice(seconds: float) -> AudioRow:
    """A clip of gliding harmonics and noise."""
    t = np.arange(round(SR * seconds)) / SR
    phase = 2 * np.pi * np.cumsum(150 * (1 + 0.1 * np.sin(4 * np.pi * t))) / SR
    y = sum(np.sin(k * phase) / k for k in range(1, 20)) * 4000 + 50 * np.random.default_rng(0).standard_normal(len(t))
    return AudioRow("clip", "savee", "DC", "sad", "original", 0, {}, np.rint(y).astype(np.int16))


def librosa_noise(y: np.ndarray) -> np.ndarray:
    """Add noise as published."""
    return y + 0.035 * np.random.uniform() * np.max(y) * np.random.normal(size=len(y))


def librosa_speed_pitch(y: np.ndarray) -> np.ndarray:
    """Change speed and pitch as published: two calls, two passes."""
    import librosa

    return librosa.effects.pitch_shift(librosa.effects.time_stretch(y, rate=0.8), sr=SR, n_steps=0.7)


def best_of(jobs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Seconds of the fastest of `repeats` runs of each job, in turn, after a warm-up run."""
    best = dict.fromkeys(jobs, np.inf)
    for repeat in range(repeats + 1):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            if repeat:
                best[name] = min(best[name], time.perf_counter() - started)
    return best


if __name__ == "__main__":
    main()
