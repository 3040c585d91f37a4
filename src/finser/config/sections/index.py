"""Section `index`."""

from pydantic import Field

from finser.config.base import Section


class Index(Section):
    """Which clips are usable."""

    silence_peak: float = Field(
        0.0, ge=0, lt=1, description="a clip whose peak does not exceed this value (full scale is 1) is silent and is excluded"
    )
