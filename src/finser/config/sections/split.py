"""Section `split`."""

from pydantic import Field, model_validator

from finser.config.base import Fraction, Section


class OwnFolds(Section):
    """A file of folds for the protocols own and own_leaky (docs/protocols.md)."""

    file: str = Field(
        pattern=r"^[^/].*\.csv$", description="CSV in the project, with the columns clip_id or speaker, and fold or split (its part)"
    )
    checksum: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="of the file, so that another content makes the split stale")


class Split(Section):
    """Which speakers or clips are in train, validation and test."""

    folds: int = Field(
        5, ge=2, le=10, description="folds per protocol (cross_corpus: one per corpus); a corpus with published folds keeps them"
    )
    speaker_validation: Fraction = Field(
        0.2,
        description="speaker, cross_corpus, own: fraction of a corpus's speakers outside test that are in validation (at least one of two)",
    )
    random_validation: Fraction = Field(0.15, description="random: fraction of the files in validation, within corpus x emotion")
    random_test: Fraction = Field(0.15, description="random: fraction of the files in test, within corpus x emotion")
    own: OwnFolds | None = Field(None, description="own: a file of folds, for corpora that have no column fold or split, or in its place")

    @model_validator(mode="after")
    def _leaves_training(self) -> "Split":
        if self.random_test + self.random_validation >= 1:
            raise ValueError("random_test and random_validation together leave no file to train on")
        return self
