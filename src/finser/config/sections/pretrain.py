"""Section `pretrain`."""

from typing import ClassVar

from pydantic import Field

from finser.config.base import CorpusName, Count, LearningRate, Name, Section, Variant
from finser.config.sections.masks import Masks


class Pretrain(Section):
    """Encoders pretrained to predict librosa's features of training clips, without emotions (docs/classifiers.md)."""

    in_files: ClassVar[tuple[str, ...]] = ("trunks",)

    trunks: tuple[Name, ...] = Field(
        (), description="sections of train_classifier whose encoder (all layers before the pooling) is pretrained"
    )
    corpora: tuple[CorpusName, ...] | None = Field(None, min_length=1, description="corpora of `pooled` to pretrain on; default: all")
    variants: tuple[Variant, ...] = Field(("original",), min_length=1, description="variants to pretrain on")
    crop_frames: int = Field(
        96, ge=16, description="length of the crops of training clips in input frames of the network; an ast uses its own `frames`"
    )
    epochs: Count = 8
    batch_size: Count = 64
    learning_rate: LearningRate = Field(0.003, description="peak learning rate of AdamW")
    weight_decay: float = Field(0.01, ge=0)
    masks: Masks = Masks(band_masks=2, band_width=8, time_masks=2, time_width=16)
