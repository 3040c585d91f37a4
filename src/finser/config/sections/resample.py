"""Section `resample`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from finser.config.base import Section, whole


class Resample(Section):
    """One sampling rate for all corpora."""

    sr: Annotated[Literal[22050], BeforeValidator(whole)] = Field(22050, description="Hz; frames, labels and FINs are defined at this rate")
    quality: Literal["HQ", "VHQ", "MQ"] = Field("HQ", description="recipe of the SoX resampler (soxr)")
