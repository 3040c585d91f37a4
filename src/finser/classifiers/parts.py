"""Training, validation and test clips of a classifier, and the columns of its history."""

import hashlib

import pyarrow as pa

from finser.config.params import Params
from finser.config.sections.classifiers import ClassifierSection
from finser.splits.table import ROLES, fewer_speakers, read_parts

HISTORY = ("epoch", "train_loss", "validation_loss", "validation_uar", "validation_wa")


def parts_of(params: Params, options: ClassifierSection, protocol: str, fold: int) -> dict[str, pa.Table]:
    """Return the rows of the split by role, of the classifier's corpora and of its fraction of the training speakers."""
    parts = read_parts(protocol, fold, options.corpora or params.pooled)
    return {**parts, "train": fewer_speakers(parts["train"], options.speakers, params.seed, fold)}


def variants(options: ClassifierSection) -> dict[str, tuple[str, ...]]:
    """Return the variants of the clips in each part; only training uses augmented ones."""
    return {"train": options.variants, "validation": ("original",)}


def clips_digest(parts: dict[str, pa.Table]) -> str:
    """Return the SHA-256 of the clip_ids of every part, which identifies the split that a model was trained on."""
    lines = sorted(f"{part} {clip}" for part in ROLES for clip in parts[part]["clip_id"].to_pylist())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
