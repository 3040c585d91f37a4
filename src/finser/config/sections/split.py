"""Section `split`."""

from pydantic import Field, model_validator

from finser.config.base import Fraction, Section


class Split(Section):
    """Which speakers or clips are in train, validation and test."""

    folds: int = Field(
        5, ge=2, le=10, description="folds per protocol (cross_corpus: one per corpus); a corpus with published folds keeps them"
    )
    speaker_validation: Fraction = Field(
        0.2, description="speaker, cross_corpus: fraction of a corpus's speakers outside test that are in validation (at least one of two)"
    )
    random_validation: Fraction = Field(0.15, description="random: fraction of the files in validation, within corpus x emotion")
    random_test: Fraction = Field(0.15, description="random: fraction of the files in test, within corpus x emotion")

    @model_validator(mode="after")
    def _leaves_training(self) -> "Split":
        if self.random_test + self.random_validation >= 1:
            raise ValueError("random_test and random_validation together leave no file to train on")
        return self
