"""Section `fetch`: where each corpus comes from."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from finser.config.base import Label, Name, Section

ColumnName = Literal[
    "path", "speaker", "emotion", "sex", "language", "sentence", "intensity", "start", "end", "split", "fold"
]  # columns of a table; the first three are required
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


class Table(Section):
    """An own corpus: recordings that a table lists (docs/own_corpora.md); local.yaml has the table's path."""

    source: Literal["table"] = "table"
    title: str | None = Field(None, min_length=1, max_length=64, description="name in the report; default: the name of the section")
    licence: str = Field("not stated", min_length=1, description="terms of use, for the report")
    home: str = Field("", description="address of the publisher's page, for the report")
    language: str = Field("", description="language of clips whose row states none, e.g. de")
    emotions: dict[Label, Name | None] = Field(
        {}, description="emotion of each label of the table; null leaves its clips out. Labels that are default emotions need no entry"
    )
    columns: dict[ColumnName, str] = Field({}, description="name in the table of each column that has another name there")


Source = Annotated[Synthetic | Local | Download | Table, Field(discriminator="source")]
SOURCES: dict[str, type[Section]] = {"synthetic": Synthetic, "local": Local, "download": Download, "table": Table}
