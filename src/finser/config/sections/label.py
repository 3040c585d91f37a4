"""Section `label`."""

from typing import Literal

from pydantic import Field

from finser.config.base import Section


class Label(Section):
    """librosa's features of every frame: 2,048 samples, hop 512, at 22,050 Hz (docs/features.md)."""

    definition: Literal["frame", "librosa_default"] = Field(
        "frame",
        description="frame: computed from the frame alone (tuning 0, no clip-wide top_db); librosa_default: five calls with all defaults",
    )
