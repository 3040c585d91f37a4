"""Stage `embed`: statistics of an encoder's hidden states for every clip of a corpus, computed once, on a GPU if there is one.

The hidden states are not stored. A killed run resumes: its rows are kept in models/checkpoints/embed, `PART` at a time, until the corpus is
complete.
"""

import hashlib
import json
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path

import numpy as np

from finser import layout, machine
from finser.audio.shards import AudioRow, read_audio
from finser.config.params import Params
from finser.encoders import Encoder, described, load
from finser.encoders.statistics import of_clips
from finser.features import store
from finser.features.pool import checksums
from finser.features.rows import Reader, Row
from finser.files import checksum, read_json, remove
from finser.progress import say, track
from finser.project.code import closure, digest
from finser.training.device import start_torch
from finser.workers import in_batches, map_in_order

BATCH = {"cpu": 16, "cuda": 64}  # clips per task of a worker; a GPU gets batches of up to 120 s of them
PART = 256  # clips that a killed run keeps together, a multiple of both
LIBRARIES = ("torch", "transformers", "soxr", "librosa")


def embed(params: Params, corpus: str, encoder: str) -> None:
    """Step: models/weights/ENCODER and data/shards/CORPUS -> data/features/ENCODER/CORPUS, one row per clip and variant.

    Raises
    ------
    FinserError
        The weights are missing or of another network, or a statistic does not fit in float16.
    """
    folder, variants, device = layout.weights(encoder), params.features.encoder_variants, start_torch()
    shape = described(read_json(folder / "config.json"))
    dim = shape.dim * len(shape.STATISTICS)
    kept = _kept(layout.checkpoint("embed", corpus, encoder).with_suffix(""), key_of(folder, corpus, variants))
    done = _complete_parts(kept)
    if done:
        say(f"{encoder} {corpus}: resuming after {done * PART} rows")
    wanted = (row for row in read_audio(layout.shards(corpus)) if row.variant in variants)
    tasks = in_batches(islice(wanted, done * PART, None), BATCH[device])
    rows = chain.from_iterable(map_in_order(partial(_embedded, folder), tasks, processes=1 if device == "cuda" else None))
    n_parts = done
    for part in in_batches(track(rows, f"{encoder} {corpus}"), PART):
        store.write(_part(kept, n_parts), part, dim, np.float16)
        n_parts += 1
    parts = chain.from_iterable(store.read(_part(kept, number)) for number in range(n_parts))  # one that another run removed is an error
    total = store.write(layout.features(encoder, corpus), parts, dim, np.float16)
    remove(kept.parent)
    say(f"{encoder} {corpus}: {total} rows of {shape.n_layers} layers with {dim} numbers each")


def key_of(folder: Path, corpus: str, variants: tuple[str, ...]) -> str:
    """Return a digest of all that determines the rows: weights, clips, variants, code, libraries and device."""
    weights = {name: checksum(folder / name) for name in ("config.json", "model.safetensors")}
    code, settings = digest(closure("encoders.embed")), machine.settings(LIBRARIES)
    about = [weights, checksums([layout.shards(corpus)]), variants, code, settings]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def reader(encoder: str, weights: Path | None = None, *, by_speaker: bool = False) -> Reader:
    """Return the reader of an encoder's statistics, float16, (n_layers, n_statistics * dim): stored ones, or computed from the samples.

    Parameters
    ----------
    encoder : str
        Name of the encoder in params.yaml.
    weights : Path, optional
        Folder of its weights, for samples; default: that of the project.
    by_speaker : bool
        Whether each speaker's clips are scaled to mean 0 and standard deviation 1.
    """
    folder = layout.weights(encoder) if weights is None else weights
    return Reader(partial(_statistics, encoder=encoder, folder=folder), audio=True, stored=encoder, by_speaker=by_speaker)


def _statistics(row: Row, encoder: str, folder: Path) -> np.ndarray:
    return row.features[encoder] if encoder in row.features else of_clips(_encoder(folder), [row.audio])[0]


def _embedded(folder: Path, rows: list[AudioRow]) -> list[store.Stored]:
    found = of_clips(_encoder(folder), [row.audio for row in rows])
    return [store.Stored(row.clip_id, row.variant, row.speaker, row.emotion, values) for row, values in zip(rows, found, strict=True)]


@cache
def _encoder(folder: Path) -> Encoder:
    """Load an encoder once per process, to the GPU if there is one."""
    device = start_torch()
    return load(folder).to(device)


def _kept(above: Path, key: str) -> Path:
    """Return the folder of the parts of this run, and remove those of runs with another key."""
    for other in above.iterdir() if above.is_dir() else ():
        if other.name != key:
            remove(other)
    return above / key


def _complete_parts(kept: Path) -> int:
    """Return the number of parts that hold `PART` rows, from the first on; the next one is computed again."""
    done = 0
    while _part(kept, done).is_dir() and sum(1 for _ in store.read_names(_part(kept, done))) == PART:
        done += 1
    return done


def _part(kept: Path, number: int) -> Path:
    return kept / f"{number:05d}"
