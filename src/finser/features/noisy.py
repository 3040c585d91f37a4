"""Stage `noisy`: test clips in white noise, or in babble of the training part's voices, to see how fast a classifier fails."""

from functools import partial

import numpy as np
import pyarrow as pa

from finser import layout, seeds
from finser.audio.augment.changes import mix, power, white
from finser.audio.augment.excerpts import STEP, first_loud, refuse_silence
from finser.audio.frames import to_float, to_int16
from finser.audio.shards import AudioRow, LabelRow, write_audio, write_labels
from finser.config.params import Params
from finser.emotions import EMOTIONS
from finser.features.examples import Examples, read_examples
from finser.features.labels import features
from finser.features.noisy_clips import variant
from finser.features.rows import Source
from finser.files import whole_folder, write_json
from finser.progress import say, track
from finser.splits.table import read_parts
from finser.workers import map_in_order

TALKERS = 4  # clips that babble together
VOICES = 40  # training clips that babble is made of


def babble(voices: list[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """`TALKERS` of the int16 clips at equal power, each from a random sample on and round its end, float, (size,).

    As in augmentation, an excerpt is at most 20 dB below its clip (:mod:`finser.audio.augment.excerpts`); clips that are quieter than one
    step of 16 bit do not talk.

    Raises
    ------
    FinserError
        All clips are quieter than that.
    """
    heard = [to_float(voice) for voice in voices]
    heard = [voice for voice in heard if power(voice) >= STEP**2]
    if not heard:
        raise refuse_silence("the training clips", "take babble out of evaluate_classifier.noise.kinds")
    total = np.zeros(size)
    for index in rng.choice(len(heard), min(TALKERS, len(heard)), replace=False):
        voice = heard[index]
        begin = int(rng.choice(np.flatnonzero(voice)))
        at = first_loud(lambda start, voice=voice: _around(voice, start, size), len(voice), size, begin, power(voice))
        total += _around(voice, at, size) / np.sqrt(power(voice))
    return total


def _around(voice: np.ndarray, start: int, size: int) -> np.ndarray:
    return np.take(voice, np.arange(start, start + size), mode="wrap")


def in_noise(clip: np.ndarray, kind: str, snr_db: float, voices: list[np.ndarray], names: tuple) -> np.ndarray:
    """An int16 clip with noise of `snr_db` below the power of the whole clip; what would exceed full scale is scaled down as a whole."""
    rng = seeds.generator(*names)
    noise = white(len(clip), int(rng.integers(2**31))) if kind == "white" else babble(voices, len(clip), rng)
    return to_int16(mix(to_float(clip), noise, snr_db))[0]


def noisy(params: Params, protocol: str, fold: int) -> None:
    """Step: some test clips of a fold in noise, with their labels -> data/noisy/PROTOCOL/FOLD/{shards,labels}.

    A row's variant names kind and signal-to-noise ratio (:func:`variant`). Babble is made of training clips: a test speaker's voice
    is in none of it, except under ``random``, where they train, too. Every classifier of the fold is evaluated on the same noisy clips.
    """
    asked, parts = params.evaluate_classifier.noise, read_parts(protocol, fold, params.pooled)
    some = {"test": evenly(parts["test"], asked.clips), "train": evenly(parts["train"], VOICES)}
    read = read_examples(Source(lambda row: row.audio, audio=True), some, dict.fromkeys(some, ("original",)))
    voices = read["train"].inputs
    rows = [
        _noisy_row(read["test"], number, params.seed, kind, snr, voices)
        for kind in asked.kinds
        for snr in asked.snr_db
        for number in range(len(read["test"]))
    ]
    label = partial(_label, definition=params.label.definition)
    labels = map_in_order(label, track(rows, f"noise, {protocol}, fold {fold}"))
    with whole_folder(layout.noisy(protocol, fold)) as partial_:
        write_json(partial_ / "clips.json", {"clips": sorted(read["test"].clip_ids) if rows else []})
        if rows:
            write_audio(partial_ / "shards", rows)
            write_labels(partial_ / "labels", labels)
    say(f"noise, {protocol}, fold {fold}: {len(rows)} noisy clips")


def evenly(rows: pa.Table, most: int) -> pa.Table:
    """At most so many rows, evenly spread."""
    return rows.take(np.unique(np.linspace(0, rows.num_rows - 1, min(most, rows.num_rows)).round().astype(int)))


def _noisy_row(test: Examples, number: int, seed: int, kind: str, snr_db: float, voices: list[np.ndarray]) -> AudioRow:
    clip_id, emotion = test.clip_ids[number], EMOTIONS[test.targets[number]]
    names = (seed, "noise curve", kind, snr_db, clip_id)
    clip = in_noise(test.inputs[number], kind, snr_db, voices, names)
    draw = {"kind": kind, "snr_db": snr_db}
    return AudioRow(
        clip_id, clip_id.split("/")[0], test.speakers[number], emotion, variant(kind, snr_db), seeds.seed_for(*names), draw, clip
    )


def _label(row: AudioRow, definition: str) -> LabelRow:
    return LabelRow(row.clip_id, row.variant, features(row.audio, definition))
