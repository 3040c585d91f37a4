"""Section `features`."""

from typing import ClassVar, Literal, get_args

from pydantic import Field

from finser.config.base import Name, Section, Variant

Representation = Literal["statistics", "filter_banks"]
REPRESENTATIONS = get_args(Representation)


class Features(Section):
    """Representations of clips, computed once per corpus of `pooled`."""

    in_files: ClassVar[tuple[str, ...]] = ("representations", "encoders", "encoder_variants")

    representations: tuple[Representation, ...] = Field(
        ("statistics", "filter_banks"), description="statistics: read by svm and mlp; filter_banks: read by ast"
    )
    filter_bank_variants: tuple[Variant, ...] = Field(("original",), min_length=1, description="variants whose filter banks are computed")
    encoders: tuple[Name, ...] = Field(
        (), description="sections of fetch_weights whose statistics of clips are computed: read by encoder and encoder_probe"
    )
    encoder_variants: tuple[Variant, ...] = Field(
        ("original",), min_length=1, description="variants for which the statistics of the encoders are computed"
    )
