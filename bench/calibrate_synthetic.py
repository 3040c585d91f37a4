"""Difficulty of the synthetic corpora: accuracy of a plain SVM on four of them, pooled, by speaker and at random.

Run it by hand after a change to finser.synthetic::

    python bench/calibrate_synthetic.py --seeds 0 1 2

The settings in emotions.py are meant to give .75 .. .95 at random and .45 .. .70 by speaker (real corpora with this SVM: .68 and .49).
Features: mean, standard deviation and 10, 50, 90 % quantiles of 20 MFCC, their deltas, ZCR and log RMS over the frames of a
clip at 22,050 Hz, and its length: 211 numbers. Silent, duplicated and missing files are left out.
"""

import argparse
import tempfile
from pathlib import Path

import librosa
import numpy as np
import soundfile
from sklearn.metrics import recall_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from finser import synthetic, workers
from finser.config import presets
from finser.synthetic.plans import ClipPlan

POOLED = ("ravdess", "crema_d", "tess", "savee")
RATE = 22050  # Hz
SPOILED = ("silent", "copy", "missing")


def main() -> None:
    """Print one line per seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    for seed in parser.parse_args().seeds:
        with tempfile.TemporaryDirectory() as folder:
            print(f"seed {seed}: {report(*pooled(seed, Path(folder)))}", flush=True)


def pooled(seed: int, folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Synthesise the demo's corpora; return features (n, 211), emotions (n,), speakers (n,), corpora (n,)."""
    params = presets.demo().model_copy(update={"seed": seed})
    clips, paths = [], []
    for corpus in POOLED:
        (folder / corpus).mkdir()
        synthetic.make(params, corpus, folder / corpus)
        for clip, path in usable(synthetic.plan(params.fetch[corpus], corpus)):
            clips.append(clip)
            paths.append(folder / corpus / path)
    features = np.stack(list(workers.map_in_order(statistics, paths)))
    speakers = np.array([f"{clip.corpus}/{clip.speaker}" for clip in clips])
    return features, np.array([clip.emotion for clip in clips]), speakers, np.array([clip.corpus for clip in clips])


def usable(clips: list[ClipPlan]) -> list[tuple[ClipPlan, str]]:
    """Clips with a correct label, and the name of each file."""
    odd = {oddity.path: oddity for oddity in synthetic.oddities(clips[0].corpus, clips)}
    kinds = {path: oddity.kind for path, oddity in odd.items()}
    names = {path: oddity.other for path, oddity in odd.items() if oddity.kind == "misnamed"}
    return [(clip, names.get(clip.path, clip.path)) for clip in clips if kinds.get(clip.path) not in SPOILED]


def statistics(path: Path) -> np.ndarray:
    """The 211 numbers of one file."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    clip = librosa.resample(samples.mean(axis=1), orig_sr=rate, target_sr=RATE)  # (n, channels) -> (n,)
    mfcc = librosa.feature.mfcc(y=clip, sr=RATE, n_mfcc=20)
    level = np.log(librosa.feature.rms(y=clip) + 1e-6)
    frames = np.concatenate([mfcc, librosa.feature.delta(mfcc), librosa.feature.zero_crossing_rate(clip), level])  # (42, t)
    quantiles = np.quantile(frames, [0.1, 0.5, 0.9], axis=1)
    return np.concatenate([frames.mean(1), frames.std(1), quantiles.ravel(), [len(clip) / RATE]])


def report(features: np.ndarray, emotions: np.ndarray, speakers: np.ndarray, corpora: np.ndarray) -> str:
    """Accuracies, pooled; by corpus and by emotion for unseen speakers."""
    svm = make_pipeline(StandardScaler(), SVC(C=10))
    random = cross_val_predict(svm, features, emotions, cv=StratifiedKFold(5, shuffle=True, random_state=0))
    unseen = cross_val_predict(svm, features, emotions, cv=GroupKFold(5), groups=speakers)
    names = sorted(set(emotions.tolist()))
    recall = dict(zip(names, recall_score(emotions, unseen, average=None, labels=names).round(2).tolist(), strict=True))
    by_corpus = {name: round(float(np.mean((unseen == emotions)[corpora == name])), 2) for name in POOLED}
    head = f"random {np.mean(random == emotions):.3f}, by speaker {np.mean(unseen == emotions):.3f}"
    return f"{head} (corpora {by_corpus}; recall {recall}); {features.shape[1]} features, {len(features)} clips"


if __name__ == "__main__":
    main()
