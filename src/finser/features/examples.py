"""Inputs and targets of the parts of a split.

Training parts may use augmented variants; validation and test use originals only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from finser.audio.shards import Only
from finser.emotions import numbers
from finser.errors import FinserError
from finser.features.rows import Reader
from finser.progress import track

AGAIN = "split again: finser split"


@dataclass(frozen=True)
class Examples:
    """Inputs of one part of a split.

    Attributes
    ----------
    part : str
        ``train``, ``validation`` or ``test``.
    clip_ids, speakers, variants : list of str
        One per input; a clip has one input per variant.
    targets : np.ndarray
        Class numbers, places in `classes`, int64, shape (n,).
    inputs : list
        Outputs of the model's `Reader`, one per row.
    classes : tuple of str
        Classes, in their order; some may have no clip here.
    """

    part: str
    clip_ids: list[str]
    speakers: list[str]
    variants: list[str]
    targets: np.ndarray
    inputs: list[Any]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.clip_ids)

    def at(self, places: list[int]) -> "Examples":
        """Return the examples with the given indices."""
        lists = {name: [getattr(self, name)[place] for place in places] for name in ("clip_ids", "speakers", "variants", "inputs")}
        return Examples(self.part, **lists, targets=self.targets[places], classes=self.classes)


def by_speaker(examples: Examples) -> Examples:
    """Scale the inputs of each speaker to mean 0 and standard deviation 1, number by number, over the speaker's clips in this part.

    No emotion is used, but all clips of a speaker are: of a test speaker, too, so that the prediction for a clip depends on the speaker's
    other test clips (transductive). Each variant of the clips has its own statistics. A standard deviation of 0 becomes 1.

    Parameters
    ----------
    examples : Examples
        Inputs of one shape.

    Returns
    -------
    Examples
        The same examples; inputs are float32.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for place, group in enumerate(zip(examples.speakers, examples.variants, strict=True)):
        groups.setdefault(group, []).append(place)
    scaled: list[Any] = [None] * len(examples)
    for places in groups.values():
        table = np.stack([examples.inputs[place] for place in places]).astype(np.float64)
        sd = table.std(0)
        for place, row in zip(places, (table - table.mean(0)) / np.where(sd > 0, sd, 1), strict=True):
            scaled[place] = row.astype(np.float32)
    return replace(examples, inputs=scaled)


def check_apart(parts: Iterable[Examples], *, leaky: bool) -> None:
    """Raise an error if one part leaks into another.

    Raises
    ------
    FinserError
        A clip is in two parts, in any variant; a speaker is (unless the protocol is `leaky` by design); or validation or test has an
        augmented copy.
    """
    homes: dict[tuple[str, str], str] = {}
    for examples in parts:
        named = [("clip", clip) for clip in examples.clip_ids]
        named += [] if leaky else [("speaker", speaker) for speaker in examples.speakers]
        for kind, name in named:
            if homes.setdefault((kind, name), examples.part) != examples.part:
                raise FinserError(f"{kind} {name} is in {homes[kind, name]} and in {examples.part}", do=AGAIN)
        augmented = sorted(set(examples.variants) - {"original"})
        if augmented and examples.part != "train":
            raise FinserError(f"augmented copies ({', '.join(augmented)}) in {examples.part}", expected="originals only")


def check_training_part(examples: Examples) -> None:
    """Refuse to train, or to compute normalisation statistics, on any part but the training part."""
    if examples.part != "train":
        raise FinserError("statistics and weights come from the training part only", expected="train", found=examples.part)


def read_examples(
    reader: Reader, parts: dict[str, pa.Table], variants: dict[str, tuple[str, ...]], classes: Sequence[str]
) -> dict[str, Examples]:
    """Read the inputs of each part of a split, in the order of the shards; each corpus is read once.

    Parameters
    ----------
    reader : Reader
        What to read.
    parts : dict
        Rows of a split (columns clip_id, corpus, speaker, emotion) by the name of the part.
    variants : dict
        Variants of the clips to read, by part.
    classes : sequence of str
        Classes, in their order.

    Raises
    ------
    FinserError
        An emotion of the split is no class; or the shards or labels lack a clip of the split, or give it another speaker or emotion.
    """
    for rows in parts.values():
        numbers(rows["emotion"].to_pylist(), classes, "the split", AGAIN)  # before hours of reading
    wanted = {(row["clip_id"], variant): (part, row) for part in parts for row in parts[part].to_pylist() for variant in variants[part]}
    corpora = sorted({row["corpus"] for _, row in wanted.values()})
    found: dict[str, list[tuple[dict, str, Any]]] = {part: [] for part in parts}
    entries = {row["clip_id"]: row for _, row in wanted.values()}
    only = Only(entries, set().union(*variants.values()))
    for corpus in corpora:
        _check_against_sound(entries, reader, corpus)
        for row in track(reader.rows(corpus, only), f"reading {corpus}"):
            part, entry = wanted.pop((row.clip_id, row.variant), (None, None))
            if entry is not None:
                found[part].append((entry, row.variant, reader.convert(row)))
    if wanted:
        clip, variant = min(wanted)
        where = reader.folders(wanted[clip, variant][1]["corpus"])[0]
        raise FinserError(f"lacks {len(wanted)} rows of the split, e.g. {clip} ({variant})", where=where, do="run: dvc repro")
    made = {part: _examples(part, rows, tuple(classes)) for part, rows in found.items()}
    return {part: by_speaker(examples) for part, examples in made.items()} if reader.by_speaker else made


def _check_against_sound(entries: dict[str, dict], reader: Reader, corpus: str) -> None:
    """Check speaker and emotion of each clip against the data that is read: a split is a file, and may have been edited."""
    for record in reader.names(corpus):
        entry = entries.get(record["clip_id"], record)
        for name in ("speaker", "emotion"):
            if entry[name] != record[name]:
                what, where = f"the split has another {name} for {record['clip_id']}", reader.folders(corpus)[0]
                raise FinserError(what, where=where, expected=record[name], found=entry[name], do=AGAIN)


def _examples(part: str, rows: list[tuple[dict, str, Any]], classes: tuple[str, ...]) -> Examples:
    targets = np.array([classes.index(entry["emotion"]) for entry, _, _ in rows], np.int64)
    named = {name: [entry[column] for entry, _, _ in rows] for name, column in (("clip_ids", "clip_id"), ("speakers", "speaker"))}
    variants, inputs = [variant for _, variant, _ in rows], [array for _, _, array in rows]
    return Examples(part, **named, variants=variants, targets=targets, inputs=inputs, classes=classes)
