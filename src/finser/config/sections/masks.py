"""SpecAugment, a part of `pretrain` and of an AST's section."""

from pydantic import Field

from finser.config.base import Section


class Masks(Section):
    """SpecAugment: random masks, drawn anew for every training clip in every epoch."""

    band_masks: int = Field(1, ge=0, description="number of masked stretches of bands")
    band_width: int = Field(24, ge=0, description="largest width in bands")
    time_masks: int = Field(1, ge=0, description="number of masked stretches of time")
    time_width: int = Field(48, ge=0, description="largest width in frames")
