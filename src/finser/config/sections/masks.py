"""SpecAugment, a part of `pretrain` and of an AST's section."""

from pydantic import Field

from finser.config.base import Section


class Masks(Section):
    """SpecAugment: random masks, drawn anew for every training clip in every epoch."""

    band_masks: int = Field(1, ge=0, description="number of frequency masks")
    band_width: int = Field(24, ge=0, description="maximum width in bands")
    time_masks: int = Field(1, ge=0, description="number of time masks")
    time_width: int = Field(48, ge=0, description="maximum width in frames")
