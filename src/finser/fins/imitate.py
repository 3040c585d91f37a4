"""`finser imitate`: features of any recording by the trained FINs, and by librosa for comparison."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from finser import layout
from finser.audio.frames import DIMENSIONS, HOP_LENGTH, SR, frames
from finser.audio.resample import resample_clip
from finser.config.params import Params
from finser.errors import FinserError
from finser.features.cepstrum import decibels
from finser.features.labels import features
from finser.files import whole_file
from finser.scores.regression import r2_uniform, r2_weighted


def imitate(params: Params, files: list[Path], folder: Path) -> Iterator[str]:
    """Write ``folder/NAME.parquet`` for every recording, and yield a line with R2 per feature for each.

    Columns are ``seconds`` (the middle of the frame), and for every feature ``FEATURE_librosa`` and ``FEATURE_fin``, float32 (one value, or
    a list), with the label definition that the FINs were trained on.

    Raises
    ------
    FinserError
        A recording cannot be read, two have one name, or a FIN is not trained yet.
    """
    from finser.fins.nets.base import predict  # torch takes seconds to import
    from finser.training.device import start_torch

    _refuse_twice(files)
    for path in files:
        if not path.is_file():
            raise FinserError("no such file", where=path)
    start_torch()
    fins, definition = _load()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise FinserError("is not a folder", where=folder, do="name another with --out") from None
    for path in files:
        pcm, gain = resample_clip(path, SR, params.resample.quality)
        given = features(pcm, definition)
        imitated = {feature: predict(fin, frames(pcm)) for feature, fin in fins.items()}
        target = folder / f"{path.stem}.parquet"
        with whole_file(target) as partial:
            pq.write_table(_table(given, imitated), partial)
        scaled = f", scaled by {gain:.4f} to fit int16" if gain < 1 else ""
        yield f"{target}: {len(pcm) / SR:.2f} s{scaled}, R2 {', '.join(_scores(given, imitated))}"


def _load() -> tuple[dict, str]:
    """Load the trained FINs, and the definition of their labels."""
    from finser.fins.store import load_fin

    loaded = {feature: load_fin(layout.fin(feature)) for feature in DIMENSIONS}
    definitions = {config["definition"] for _, config in loaded.values()}
    if len(definitions) > 1:
        found = " and ".join(sorted(definitions))
        raise FinserError(
            "FINs of different label definitions", where=layout.fin(""), found=found, do="run dvc repro: it trains stale FINs again"
        )
    return {feature: fin for feature, (fin, _) in loaded.items()}, definitions.pop()


def _refuse_twice(files: list[Path]) -> None:
    names = [path.stem for path in files]
    for path in files:
        if names.count(path.stem) > 1:
            alike = [str(other) for other in files if other.stem == path.stem]
            raise FinserError(
                "recordings of one name would overwrite each other",
                where=", ".join(alike),
                do="imitate them one by one, each with its own --out",
            )


def _table(given: dict[str, np.ndarray], imitated: dict[str, np.ndarray]) -> pa.Table:
    n = len(given["rms"])
    columns = {"seconds": pa.array(np.arange(n) * HOP_LENGTH / SR, pa.float32())}
    for feature in DIMENSIONS:
        columns |= {f"{feature}_librosa": _column(given[feature]), f"{feature}_fin": _column(imitated[feature])}
    return pa.table(columns)


def _column(values: np.ndarray) -> pa.Array:
    flat = pa.array(values.astype(np.float32).reshape(-1))
    return flat if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _scores(given: dict[str, np.ndarray], imitated: dict[str, np.ndarray]) -> Iterator[str]:
    """Yield ``rms .99999`` (uniform), for mel weighted and in dB; a dash for a recording of one frame."""
    for feature in DIMENSIONS:
        true, found = given[feature], imitated[feature]
        if len(true) < 2:
            yield f"{feature} -"
        elif feature == "mel":
            yield f"mel {r2_weighted(true, found):.5f} (dB {r2_uniform(decibels(true), decibels(found)):.5f})"
        else:
            yield f"{feature} {r2_uniform(true, found):.5f}"
