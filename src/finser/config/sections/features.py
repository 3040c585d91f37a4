"""Section `features`."""

from typing import ClassVar, Literal, get_args

from pydantic import Field

from finser.config.base import Name, Section, Variant

Representation = Literal["statistics", "filter_banks", "egemaps", "compare_2016"]
REPRESENTATIONS = get_args(Representation)
OPEN_SMILE = ("egemaps", "compare_2016")  # need the optional package opensmile


class Features(Section):
    """Representations of clips, computed once per corpus of `pooled`."""

    in_files: ClassVar[tuple[str, ...]] = ("representations", "filter_bank_variants", "encoders", "encoder_variants")

    representations: tuple[Representation, ...] = Field(
        ("statistics", "filter_banks"),
        description="statistics: read by svm and mlp; filter_banks: read by ast; egemaps, compare_2016: openSMILE's functionals, read by "
        "an svm that names them. They need the optional package opensmile, which is for private, research and educational use only",
    )
    filter_bank_variants: tuple[Variant, ...] = Field(("original",), min_length=1, description="variants whose filter banks are computed")
    encoders: tuple[Name, ...] = Field(
        (), description="sections of fetch_weights whose statistics of clips are computed: read by encoder and encoder_probe"
    )
    encoder_variants: tuple[Variant, ...] = Field(
        ("original",), min_length=1, description="variants for which the statistics of the encoders are computed"
    )
