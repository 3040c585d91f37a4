"""`finser export --format hf`: export rows of the shards to a folder that Hugging Face `datasets` loads.

``data/SPLIT-NNNNN.parquet`` hold the audio as FLAC, which is lossless: decoded, it equals the shards' int16 bit for bit. The features are
described in the metadata of the Parquet schema and in README.md, the dataset card, which also has licences and splits.

``datasets.Features`` and ``huggingface_hub.DatasetCard`` could write both descriptions. They are not used, because `datasets` is installed
for the tests only: it depends on pandas and others, and takes 1.4 s to import. The tests compare the descriptions with those of `datasets`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import soundfile
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from finser import layout
from finser.audio.frames import DIMENSIONS, SR
from finser.audio.shards import AudioRow, LabelRow, read_aligned, read_audio, write_parts
from finser.config.base import Variant
from finser.corpora.known import registry
from finser.emotions import numbers
from finser.errors import FinserError, nearest
from finser.files import read_json, whole_folder
from finser.progress import track
from finser.splits.table import LEAKY, read_parts

ORIGINAL = ("original",)


@dataclass(frozen=True)
class Selection:
    """The rows to export.

    Attributes
    ----------
    corpora : tuple of str
        Corpora, in the order of export.
    emotions : tuple of str
        Emotions whose clips are exported, in the order of their class numbers.
    variants : tuple of str
        Variants of every clip; with a protocol, of the clips of its training part, while validation and test have originals.
    with_labels : bool
        Whether to add librosa's features.
    protocol : str, optional
        Protocol whose parts become the splits. Without it there is one split, ``train``, with all rows.
    fold : int, optional
        Fold of the protocol.
    """

    corpora: tuple[str, ...]
    emotions: tuple[str, ...]
    variants: tuple[str, ...] = ORIGINAL
    with_labels: bool = False
    protocol: str | None = None
    fold: int | None = None


def export(chosen: Selection, target: Path) -> dict[str, int]:
    """Write the folder `target`, whole or not at all, one row group in memory; return the number of rows of each split.

    Raises
    ------
    FinserError
        `target` exists; the selection has an unknown or repeated name; or shards, labels, split or provenance are missing, damaged, or do
        not match.
    """
    if target.exists() or target.is_symlink():
        raise FinserError("already exists", where=target, do="name another folder, or remove it")
    fetched = sorted(path.parent.name for path in (layout.DATA / "raw").glob("*/SOURCE.json"))
    _check_names(chosen.corpora, list(dict.fromkeys([*registry.CORPORA, *fetched])), "corpus")
    _check_names(chosen.variants, ("original", *get_args(Variant)), "variant")
    if (chosen.protocol is None) != (chosen.fold is None):
        raise FinserError("--protocol and --fold go together", where="finser export")
    if chosen.protocol is not None:
        _check_names((chosen.protocol,), LEAKY, "protocol")
    sources = [read_json(layout.raw(corpus) / "SOURCE.json") for corpus in chosen.corpora]
    wanted, schema = wanted_rows(chosen), arrow_schema(features(chosen))
    with whole_folder(target) as partial:
        (partial / "data").mkdir()
        counts = {}
        for split, rows in wanted.items():
            seen: set[tuple[str, str]] = set()
            records = track(_records(chosen, rows, seen), f"export {split}")
            counts[split] = write_parts(partial / "data" / split, records, schema, compression="zstd")
            _check_variants(chosen, seen)
            _check_count(chosen, split, rows, counts[split])
        (partial / "README.md").write_text(card(chosen, sources, counts), encoding="utf-8")
    return counts


def wanted_rows(chosen: Selection) -> dict[str, dict[str, tuple[str, ...]] | None]:
    """Return, per split, the variants of every clip in it; None for a split with the selected variants of all clips."""
    if chosen.protocol is None:
        return {"train": None}
    parts = read_parts(chosen.protocol, chosen.fold, chosen.corpora)
    there = {corpus for rows in parts.values() for corpus in rows["corpus"].unique().to_pylist()}
    for corpus in chosen.corpora:
        if corpus not in there:
            where = f"{layout.split(chosen.protocol)} fold {chosen.fold}"
            raise FinserError(f"has no clip of {corpus}", where=where, do="leave that corpus out, or add it in params.yaml and split again")
    variants = {"train": chosen.variants}
    return {split: dict.fromkeys(rows["clip_id"].to_pylist(), variants.get(split, ORIGINAL)) for split, rows in parts.items()}


def features(chosen: Selection) -> dict[str, dict]:
    """Return the columns in the JSON of `datasets` (``Features.to_dict``)."""
    string, int32, float32 = ({"dtype": dtype, "_type": "Value"} for dtype in ("string", "int32", "float32"))
    columns = {
        "audio": {"sampling_rate": SR, "_type": "Audio"},
        "clip_id": string,
        "corpus": string,
        "speaker": string,
        "emotion": {"names": list(chosen.emotions), "_type": "ClassLabel"},
        "variant": string,
        "seed": {"dtype": "int64", "_type": "Value"},
        "draw": string,
        "n_samples": int32,
    }
    frames = {name: {"feature": float32, "length": dim, "_type": "List"} for name, dim in DIMENSIONS.items()}
    return columns | {name: {"feature": frame, "_type": "List"} for name, frame in frames.items() if chosen.with_labels}


def arrow_schema(columns: dict[str, dict]) -> pa.Schema:
    """Return the Parquet schema with `features` as metadata, so that `datasets` decodes the audio without the card, too."""
    schema = pa.schema([(name, _arrow_type(feature)) for name, feature in columns.items()])
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": columns}})})


def card(chosen: Selection, sources: list[dict], counts: dict[str, int]) -> str:
    """Return README.md: YAML for `datasets`, then text for readers.

    Parameters
    ----------
    chosen : Selection
        The exported selection.
    sources : list of dict
        SOURCE.json of each corpus: title, source, licence, home.
    counts : dict
        Rows of each split.
    """
    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    text = environment.get_template("card.md.jinja").render(
        **vars(chosen),
        front=yaml.safe_dump(_front_matter(chosen, sources, counts), sort_keys=False, allow_unicode=True),
        sources=sources,
        titles=_titles(sources),
        synthetic=[source["title"] for source in sources if source["source"] == "synthetic"],
        leaky=LEAKY.get(chosen.protocol, False),
        counts=counts,
        sr=SR,
        version=version("finser"),
        dimensions=DIMENSIONS if chosen.with_labels else {},
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _titles(sources: list[dict]) -> list[str]:
    return [source["title"] + " (synthetic)" * (source["source"] == "synthetic") for source in sources]


def _front_matter(chosen: Selection, sources: list[dict], counts: dict[str, int]) -> dict:
    synthetic = any(source["source"] == "synthetic" for source in sources)
    return {
        "pretty_name": ", ".join(_titles(sources)),
        "license": "other",
        "license_name": "of-each-corpus-see-below",
        "task_categories": ["audio-classification"],
        "tags": ["speech-emotion-recognition"] + ["synthetic"] * synthetic,
        "configs": [{"config_name": "default", "data_files": [{"split": name, "path": f"data/{name}-*"} for name in counts]}],
        "dataset_info": {
            "features": [{"name": name, **_in_yaml(feature)} for name, feature in features(chosen).items()],
            "splits": [{"name": name, "num_examples": rows} for name, rows in counts.items()],
        },
    }


def _in_yaml(feature: dict) -> dict:
    """Return a feature in the card's YAML (``Features._to_yaml_list``)."""
    kind = feature["_type"]
    if kind == "Audio":
        return {"dtype": {"audio": {"sampling_rate": feature["sampling_rate"]}}}
    if kind == "ClassLabel":
        return {"dtype": {"class_label": {"names": {str(number): name for number, name in enumerate(feature["names"])}}}}
    if kind == "List":
        inner = _in_yaml(feature["feature"])
        length = {"length": feature["length"]} if "length" in feature else {}
        return {"list": inner["dtype"] if set(inner) == {"dtype"} else inner} | length
    return {"dtype": feature["dtype"]}


def _arrow_type(feature: dict) -> pa.DataType:
    kind = feature["_type"]
    if kind == "Audio":
        return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    if kind == "ClassLabel":
        return pa.int64()
    if kind == "List":
        return pa.list_(_arrow_type(feature["feature"]), feature.get("length", -1))
    return {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "float32": pa.float32()}[feature["dtype"]]


def _records(chosen: Selection, wanted: dict[str, tuple[str, ...]] | None, seen: set[tuple[str, str]]) -> Iterator[dict]:
    """Yield the rows of one split, in the order of the corpora and of their shards; `seen` collects the variants of each corpus."""
    for audio, label in _rows(chosen):
        every = chosen.variants if audio.emotion in chosen.emotions else ()
        variants = every if wanted is None else wanted.get(audio.clip_id, ())
        seen.add((audio.corpus, audio.variant))
        if audio.variant in variants:
            yield _record(audio, label, chosen.emotions)


def _rows(chosen: Selection) -> Iterator[tuple[AudioRow, LabelRow | None]]:
    for corpus in chosen.corpora:
        if chosen.with_labels:
            yield from read_aligned(layout.shards(corpus), layout.labels(corpus))
        else:
            yield from ((row, None) for row in read_audio(layout.shards(corpus)))


def _record(audio: AudioRow, label: LabelRow | None, emotions: tuple[str, ...]) -> dict:
    suffix = "" if audio.variant == "original" else f".{audio.variant}"
    record = {
        "audio": {"bytes": to_flac(audio.audio), "path": f"{audio.clip_id}{suffix}.flac"},
        **{name: getattr(audio, name) for name in ("clip_id", "corpus", "speaker", "variant")},
        "emotion": numbers([audio.emotion], emotions, audio.clip_id, "split again: finser split")[0],
        "seed": audio.seed,
        "draw": json.dumps(audio.draw, sort_keys=True),
        "n_samples": len(audio.audio),
    }
    return record | ({name: list(array) for name, array in label.features.items()} if label else {})


def to_flac(audio: np.ndarray) -> bytes:
    """Encode int16 samples, shape (n,), n > 0, as a FLAC file of 16 bit at 22,050 Hz."""
    encoded = BytesIO()
    soundfile.write(encoded, audio, SR, format="FLAC", subtype="PCM_16")
    return encoded.getvalue()


def _check_names(names: tuple[str, ...], known: object, what: str) -> None:
    for name in names:
        if name not in known:
            raise FinserError(f"unknown {what} '{name}'", where="finser export", do=nearest(name, known))
    if len(set(names)) < len(names) or not names:
        raise FinserError(f"each {what} once, and at least one", where="finser export", found=" ".join(names) or "none")


def _check_count(chosen: Selection, split: str, wanted: dict[str, tuple[str, ...]] | None, count: int) -> None:
    expected = None if wanted is None else sum(map(len, wanted.values()))
    if not count or expected not in (None, count):
        raise FinserError(
            f"the shards do not have the rows of {split}",
            where=", ".join(str(layout.shards(corpus)) for corpus in chosen.corpora),
            expected="one or more" if expected is None else expected,
            found=count,
            do="run: dvc repro",
        )


def _check_variants(chosen: Selection, seen: set[tuple[str, str]]) -> None:
    for corpus in chosen.corpora:
        missing = [variant for variant in chosen.variants if (corpus, variant) not in seen]
        if missing:
            raise FinserError(
                f"no rows of variant '{missing[0]}'", where=layout.shards(corpus), do="add it to augment.variants and run: dvc repro"
            )
