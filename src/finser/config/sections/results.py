"""Sections `fuse_classifiers`, `summarise` and `report`."""

from typing import Literal

from pydantic import Field

from finser.config.base import Name, Section


class Fusion(Section):
    """One late fusion of trained classifiers and all their seeds."""

    members: tuple[Name, ...] = Field(
        min_length=1, description="classifiers with the same corpora; those that `models` does not name are omitted"
    )
    method: Literal["mean", "stacked"] = Field(
        "mean",
        description="mean: equal weights; stacked: weights that minimise the validation NLL; every member is scaled by its temperature",
    )


class Summarise(Section):
    """Results of all folds together, and comparisons of classifiers."""

    pairs: tuple[tuple[Name, Name], ...] = Field(
        (),
        description="pairs of classifiers or fusions to compare on the same test clips, beside every classifier with svm; "
        "a pair is omitted unless `models` and `fusions` name both",
    )


class Report(Section):
    """The report."""

    title: str = "Speech emotion recognition, reproducibly"
