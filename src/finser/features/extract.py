"""Stage `features`: a representation of every clip of a corpus, computed once, on all cores.

Log-mel spectrograms are not among the representations: they are the logarithm of the labels, which are stored by frame already.
"""

from functools import partial
from importlib import import_module
from itertools import chain
from types import ModuleType

from finser import layout
from finser.audio.shards import AudioRow, LabelRow, read_aligned, read_audio
from finser.config.params import Params
from finser.features import store
from finser.features.rows import Row
from finser.progress import say, track
from finser.workers import in_batches, map_in_order

BATCH = 32  # clips per task of a worker
RowPair = tuple[AudioRow, LabelRow | None]


def features(params: Params, corpus: str, representation: str) -> None:
    """Step: data/shards/CORPUS and data/labels/CORPUS -> data/features/REPRESENTATION/CORPUS, row by row."""
    module = extractor(representation)
    variants = params.variants if representation != "filter_banks" else params.features.filter_bank_variants
    shards, labels = layout.shards(corpus), layout.labels(corpus)
    pairs = read_aligned(shards, labels, module.FEATURES) if module.FEATURES else ((audio, None) for audio in read_audio(shards))
    wanted = (pair for pair in pairs if pair[0].variant in variants)
    rows = chain.from_iterable(map_in_order(partial(_convert, representation), in_batches(wanted, BATCH)))
    total = store.write(layout.features(representation, corpus), track(rows, f"{representation} {corpus}"), module.DIM)
    say(f"{representation} {corpus}: {total} rows of {module.DIM} numbers per frame")


def extractor(representation: str) -> ModuleType:
    """Import the module of a representation.

    It has ``of_row`` (Row -> float32, (n_frames, dim)), ``DIM``, and ``FEATURES``, the label columns that it reads.
    """
    return import_module(f"finser.features.{representation}")


def _convert(representation: str, pairs: list[RowPair]) -> list[store.Stored]:
    of_row = extractor(representation).of_row
    return [
        _stored(audio, of_row(Row(audio.clip_id, audio.variant, audio.audio, label.features if label else {}))) for audio, label in pairs
    ]


def _stored(audio: AudioRow, values) -> store.Stored:  # noqa: ANN001
    return store.Stored(audio.clip_id, audio.variant, audio.speaker, audio.emotion, values)
