"""Section `fetch`: where each corpus comes from."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from finser.config.base import Section

CHECKSUM = r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$"


class Synthetic(Section):
    """A small synthetic corpus in the layout of the real one, spoken by a synthesizer when `fetch` runs."""

    source: Literal["synthetic"] = "synthetic"
    speakers: int = Field(4, ge=1, le=24, description="number of voices, in the order of the corpus's plan")
    clips_per_emotion: int = Field(8, ge=1, le=60, description="largest number of clips per speaker and emotion")


class Local(Section):
    """A folder with the corpus in its publisher's layout or a common repack; local.yaml has its path."""

    source: Literal["local"] = "local"
    allow_partial: bool = Field(False, description="accept fewer clips than the publisher states")


class Download(Section):
    """The publisher's own download, verified by checksum."""

    source: Literal["download"] = "download"
    address: str | None = Field(None, pattern=r"^(https?|file)://", description="other address than the publisher's (http, https or file)")
    checksum: str | None = Field(None, pattern=CHECKSUM, description="of the archive at that other address")
    allow_partial: bool = Field(False, description="accept fewer clips than the publisher states")

    @model_validator(mode="after")
    def _both_or_neither(self) -> "Download":
        if (self.address is None) != (self.checksum is None):
            raise ValueError("address and checksum go together: give both or neither")
        return self


Source = Annotated[Synthetic | Local | Download, Field(discriminator="source")]
SOURCES: dict[str, type[Section]] = {"synthetic": Synthetic, "local": Local, "download": Download}
