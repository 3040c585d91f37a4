"""R2 of a FIN on test speakers, on corpora without training clips, and under other recording conditions."""

import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from finser import layout
from finser.audio.frames import DIMENSIONS, HOP_LENGTH, SR
from finser.config.params import Params
from finser.features.cepstrum import decibels
from finser.files import whole_file, write_json
from finser.fins.conditions import CONDITIONS, frames_under, outputs
from finser.fins.frames.data import FrameSet, draw
from finser.fins.nets.base import Fin, predict
from finser.fins.scoring import scores, scores_of
from finser.fins.settings import check_settings
from finser.fins.store import load_fin
from finser.machine import SETTINGS
from finser.progress import say
from finser.scores.regression import r2_each
from finser.seeds import generator
from finser.training.device import start_torch

SHOWN = 2_000  # values in the scatter plot
WORST = 8  # frames with the largest errors in the table


def evaluate_fin(params: Params, feature: str) -> None:
    """Step: the FIN of `feature` on test speakers and unseen corpora -> results/fins/FEATURE.json, .csv (history), .parquet (frames).

    Frames are of originals, evenly over the clips.
    """
    device = start_torch()
    fin, config = load_fin(layout.fin(feature))
    check_settings(config, params.settings_of_fin(feature), layout.fin(feature))
    fin.to(device)
    size = params.evaluate_fin.frames
    started = time.perf_counter()
    test = draw(params, feature, params.train_fin.data.corpora, role="test", size=size)
    predicted = predict(fin, test.frames)
    test_scores = scores_of(feature, test.labels, predicted)
    unseen = on_unseen(fin, unseen_frames(params, feature))
    result = {
        **{name: config[name] for name in ("feature", "topology", "init", "seed", "params", "params_own", "params_inherited")},
        "front_end_init": config["inherits"].get("front_end"),
        "definition": config["definition"],
        **{f"r2_test_{name}": value for name, value in test_scores.items()},
        "unseen": unseen,
        **{name: config[name] for name in ("r2_init_uniform", "r2_init_weighted", "r2_validation", "n_train_frames")},
        "r2_test_each": each(feature, test.labels, predicted),
        "conditions": on_conditions(fin, condition_frames(params, feature, device)),
        "n_test_frames": len(test.frames),
        "n_test_speakers": len(test.speakers),
        "seconds_evaluate": time.perf_counter() - started,
        **(speed(fin, test) if params.evaluate_fin.speed else {}),
        "device": config["device"],
        "trained_under": [{name: config[name] for name in SETTINGS}],
    }
    write_json(layout.fin_result(feature), result)
    with whole_file(layout.fin_history(feature)) as partial:
        shutil.copyfile(layout.fin(feature) / "history.csv", partial)
    write_frames(layout.fin_frames(feature), feature, test, predicted)
    unseen_text = "".join(f", {corpus} {scores['weighted']:.5f}" for corpus, scores in unseen.items())
    say(f"{feature}: weighted R2 on test speakers {test_scores['weighted']:.5f}{unseen_text}")


def unseen_frames(params: Params, feature: str) -> dict[str, FrameSet]:
    """Draw as many frames from each corpus without training clips as from the test speakers; {} if there is no such corpus."""
    return {corpus: draw(params, feature, (corpus,), size=params.evaluate_fin.frames) for corpus in params.unseen_corpora}


def on_unseen(fin: Fin, drawn: dict[str, FrameSet]) -> dict[str, dict[str, float]]:
    """Return R2 on the frames of each corpus: corpus -> scores.

    Corpora are scored one by one. A score on all together would credit a FIN for distinguishing a loud corpus from a quiet one.
    """
    return {corpus: scores(fin, one) for corpus, one in drawn.items()}


def condition_frames(params: Params, feature: str, device: str | torch.device) -> dict[str, tuple[list[Tensor], np.ndarray]]:
    """Draw frames of test speakers under each of :data:`CONDITIONS`, with their labels, if ``evaluate_fin.conditions`` is set.

    With the definition ``librosa_default`` the result is empty: its labels of changed audio cannot be computed frame by frame.
    """
    if not params.evaluate_fin.conditions or params.label.definition != "frame":
        return {}
    return {name: frames_under(name, params, feature, device) for name in CONDITIONS}


def on_conditions(fin: Fin, drawn: dict[str, tuple[list[Tensor], np.ndarray]]) -> dict[str, dict[str, float]]:
    """Return R2 under each condition: condition -> scores."""
    return {name: scores_of(fin.feature, labels, outputs(fin, parts)) for name, (parts, labels) in drawn.items()}


def each(feature: str, labels: np.ndarray, predicted: np.ndarray) -> list[float]:
    """Return the R2 of every coefficient; for mel in dB."""
    return r2_each(*(decibels(values) if feature == "mel" else values for values in (labels, predicted))).tolist()


def speed(fin: Fin, test: FrameSet) -> dict[str, float]:
    """Return seconds per frame of the FIN on its device, and of librosa on a clip of as many frames; each the best of three."""
    frames = test.frames[:1_000]
    times = []
    for _ in range(3):
        started = time.perf_counter()
        predict(fin, frames)
        times.append(time.perf_counter() - started)
    n = len(frames)
    return {"seconds_per_frame": min(times) / n, "seconds_per_frame_librosa": _seconds_of_librosa(fin.feature, n) / n}


def _seconds_of_librosa(feature: str, n: int) -> float:
    """Return the seconds of librosa's plain call on `n` frames of noise, the best of three."""
    import librosa  # takes a second or two

    calls = {
        "rms": lambda y: librosa.feature.rms(y=y),
        "zcr": librosa.feature.zero_crossing_rate,
        "chroma": lambda y: librosa.feature.chroma_stft(y=y, sr=SR, tuning=0.0),
        "mfcc": lambda y: librosa.feature.mfcc(y=y, sr=SR, n_mfcc=DIMENSIONS["mfcc"]),
        "mel": lambda y: librosa.feature.melspectrogram(y=y, sr=SR),
    }
    y, times = (0.1 * generator("librosa's time").standard_normal(HOP_LENGTH * (n - 1))).astype(np.float32), []
    with threadpool_limits(1):
        for _ in range(4):  # the first call compiles
            started = time.perf_counter()
            calls[feature](y)
            times.append(time.perf_counter() - started)
    return min(times)


def write_frames(path: Path, feature: str, test: FrameSet, predicted: np.ndarray) -> None:
    """Write the data of the figures: the frames with the largest errors, and values drawn evenly from all.

    Columns are ``kind`` (value or worst), ``clip_id``, ``frame`` (its index in the clip), ``coefficient``, ``true``, ``predicted`` and
    ``deviations``, the error in standard deviations of the coefficient. Frames are ranked by their largest ``deviations``.
    """
    labels = test.labels
    if feature == "mel":
        labels, predicted = decibels(labels), decibels(predicted)
    deviations = np.abs(predicted - labels) / labels.std(axis=0).clip(1e-9)
    worst = np.argsort(-deviations.max(axis=1), kind="stable")[:WORST]
    values = np.unique(np.linspace(0, labels.size - 1, min(SHOWN, labels.size)).astype(int))
    picked = [("worst", row, k) for row in worst for k in range(labels.shape[1])]
    picked += [("value", *divmod(int(value), labels.shape[1])) for value in values]
    kinds, rows, ks = zip(*picked, strict=True)
    rows, ks = np.array(rows), np.array(ks)
    table = pa.table(
        {
            "kind": list(kinds),
            "clip_id": [test.clips[row] for row in rows],
            "frame": [int(test.numbers[row]) for row in rows],
            "coefficient": pa.array(ks, pa.int16()),
            "true": pa.array(labels[rows, ks], pa.float32()),
            "predicted": pa.array(predicted[rows, ks], pa.float32()),
            "deviations": pa.array(deviations[rows, ks], pa.float32()),
        }
    )
    with whole_file(path) as partial:
        pq.write_table(table, partial)
