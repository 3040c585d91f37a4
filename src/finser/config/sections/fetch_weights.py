"""Section `fetch_weights`: published weights that classifiers can start from."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from finser.config.base import AstSize, Section

SPEECH_FAMILIES = ("wav2vec2", "hubert", "wavlm", "data2vec", "whisper", "byol_s")
SUFFIX = ".safetensors"  # the only format of weights that is read: others can run code


class Weights(Section):
    """Published weights of a transformer, verified by checksum before they are read."""

    source: Literal["download", "local"] = Field(description="download: from `address`; local: a file whose path local.yaml gives")
    kind: Literal["deit", "ast", "byol_s", "wav2vec2"] = Field(
        description="deit: an image model (DeiT with a distillation token); ast: an AST"
    )
    model_size: AstSize = Field("base", description="size of the published model (docs/classifiers.md)")
    address: str | None = Field(None, pattern=r"^https?://", description="of a .safetensors file (download)")
    revision: str | None = Field(None, min_length=1, description="the publisher's name of this version, e.g. a commit; recorded (download)")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the file, as its publisher states it")
    licence: str | None = Field(None, description="of the weights, as their publisher states it; recorded")

    @property
    def family(self) -> str:
        """Family."""
        return self.kind

    @model_validator(mode="after")
    def _one_place(self) -> "Weights":
        given = {name for name in ("address", "revision") if getattr(self, name) is not None}
        wanted = {"address", "revision"} if self.source == "download" else set()
        if given != wanted:
            needs, has = (" and ".join(sorted(names)) or "neither address nor revision" for names in (wanted, given))
            raise ValueError(f"source {self.source} needs {needs}, and has {has}")
        if self.address and not urlsplit(self.address).path.endswith(SUFFIX):
            raise ValueError(f"'{urlsplit(self.address).path}' is no {SUFFIX} file: other formats of weights can run code and are not read")
        return self
