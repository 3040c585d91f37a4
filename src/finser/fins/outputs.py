"""Stage `apply_fins`: the outputs of the FINs for every frame of a corpus, computed once, on all cores."""

from functools import cache
from itertools import chain

import numpy as np
import torch

from finser import layout
from finser.audio.frames import DIMENSIONS, padded, to_float
from finser.audio.shards import AudioRow, read_audio
from finser.config.params import Params
from finser.features import store
from finser.fins.features import N_FEATURES, Fins, load_fins
from finser.progress import say, track
from finser.training.device import start_torch
from finser.workers import in_batches, map_in_order

BATCH = 16  # clips per task of a worker


def apply_fins(params: Params, corpus: str) -> None:
    """Step: models/fins and data/shards/CORPUS -> data/fin_outputs/CORPUS, row by row: the 162 features of every frame."""
    batches = in_batches(read_audio(layout.shards(corpus)), BATCH)
    rows = chain.from_iterable(map_in_order(_outputs, batches))
    total = store.write(layout.features("fins", corpus), track(rows, f"FIN outputs {corpus}"), N_FEATURES)
    say(f"FIN outputs {corpus}: {total} rows")


def _outputs(rows: list[AudioRow]) -> list[store.Stored]:
    fins = _fins()
    return [store.Stored(row.clip_id, row.variant, row.speaker, row.emotion, of_clip(fins, row.audio)) for row in rows]


@torch.no_grad()
def of_clip(fins: Fins, audio: np.ndarray) -> np.ndarray:
    """Return the features of a clip's frames, float32, shape (n_frames, 162), from int16 samples, shape (n_samples,)."""
    waves = torch.from_numpy(to_float(padded(audio)).astype(np.float32))[None]  # (1, n_samples + 2048)
    return fins.of_waves(waves)[0].numpy()


@cache
def _fins() -> Fins:
    start_torch()
    torch.set_num_threads(1)
    return Fins(load_fins(layout.MODELS / "fins", DIMENSIONS)).eval()
