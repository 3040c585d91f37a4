"""Digests of what finser computes from fixed inputs, as JSON: tests/test_cpus.py runs this on several simulated CPUs.

All inputs are integers of a random generator, so that none of them depends on the CPU.
"""

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np

from finser.audio.frames import SR
from finser.seeds import generator


def digest(*values: object) -> str:
    """SHA-256 of arrays, their types and shapes, and of anything else as text."""
    found = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            found.update(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        else:
            found.update(repr(value).encode())
    return found.hexdigest()


def clip(n: int, name: str) -> np.ndarray:
    """int16 samples, shape (n,): random steps, so that low frequencies are louder, then a stretch of silence."""
    steps = generator("clip", name).integers(-2_000, 2_001, n)
    walk = np.cumsum(steps)
    y = walk - np.repeat(walk[::256], 256)[:n]
    y[n // 2 : n // 2 + n // 8] = 0
    return np.clip(y, -32_768, 32_767).astype(np.int16)


def powers(n: int) -> np.ndarray:
    """Positive float32 of every exponent from 1e-38 to 1e38, shape (n,), made of random bits."""
    bits = generator("powers").integers(0x00800000, 0x7F7FFFFF, n, dtype=np.int64).astype(np.uint32)
    return bits.view(np.float32)


def of_audio() -> dict[str, str]:
    """What becomes samples."""
    import soundfile
    import soxr

    from finser.audio.augment import changes
    from finser.audio.frames import to_float, to_int16
    from finser.audio.resample import resample_clip

    found, y = {}, to_float(clip(60_000, "audio"))
    for rate in (16_000, 24_414, 44_100, 48_000):
        path = Path(f"clip-{rate}.wav")
        soundfile.write(path, clip(3 * rate, "file"), rate, subtype="PCM_16")
        for quality in ("MQ", "HQ", "VHQ"):
            found[f"audio {rate} {quality}"] = digest(*resample_clip(path, SR, quality))
    stereo = np.stack([clip(48_000, "left"), clip(48_000, "right")], axis=1)
    soundfile.write("stereo.wav", stereo, 48_000)
    found["audio stereo"] = digest(*resample_clip(Path("stereo.wav"), SR, "HQ"))
    variants = {
        "noise": changes.add_noise(y, level=0.035, seed=3),
        "noise_snr": changes.add_noise_at_snr(y, snr_db=7.3, seed=3),
        "reverberation": changes.reverberate(y, rt60=0.43, drr_db=3.1, seed=3),
        "gain": changes.gain(y, db=-7.7),
        "band_limit": changes.band_limit(y, sr=8_000),
        **{f"speed_pitch {rate}": changes.change_speed_and_pitch(y, rate=rate, semitones=1.7) for rate in (0.81, 1.0, 1.23)},
    }
    found |= {f"augment {name}": digest(*to_int16(value)) for name, value in variants.items()}
    return found | {"soxr float": digest(soxr.resample(y, SR, 16_000))}


def of_labels() -> dict[str, str]:
    """What becomes labels."""
    from finser.features.cepstrum import decibels
    from finser.features.labels import features

    found = {"decibels": digest(decibels(powers(200_000)))}
    for name in ("a", "b"):  # librosa_default is librosa's own, with its BLAS
        found |= {f"label {feature} {name}": digest(value) for feature, value in features(clip(70_000, name)).items()}
    return found


def of_inputs() -> dict[str, str]:
    """What classifiers are given."""
    from finser.config.sections.classifiers import LogMel
    from finser.features import filter_banks, rows, statistics
    from finser.features import log_mel as spectrograms
    from finser.features.labels import features
    from finser.fins.features import of_librosa

    samples = clip(50_000, "row")
    row = rows.Row("c", "original", samples, features(samples))
    cells = spectrograms.log_mel(row, LogMel())
    return {
        "log_mel": digest(cells),
        "filter_banks": digest(filter_banks.of_row(row)),
        "fin_features": digest(of_librosa(row.features)),
        "summary statistics": digest(statistics.summary_statistics(row)),
        "change of speed": digest(*spectrograms.resample_crops([cells], np.array([1.07]), np.array([3]), 32)),
        "statistics": digest(*spectrograms.statistics([cells, cells[5:20]])),
    }


def of_figures() -> dict[str, str]:
    """What becomes figures of merit."""
    from finser.scores import calibration, metrics

    rng = generator("figures")
    truth, predicted = rng.integers(0, 8, 300), rng.integers(0, 8, 300)
    raw = rng.random((300, 8))
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    confusion = metrics.confusion_matrix(truth, predicted, 8)
    return {
        "uar": digest(metrics.uar(confusion), metrics.wa(confusion)),
        "temperature": digest(round(float(calibration.temperature_of(probabilities, truth)), 3)),
    }


def main() -> None:
    """Print the digests."""
    warnings.simplefilter("ignore")
    print(json.dumps({**of_audio(), **of_labels(), **of_inputs(), **of_figures()}, indent=1))


if __name__ == "__main__":
    main()
