"""Section `fetch_weights`: published weights that classifiers can start from, and encoders whose features they can use."""

import re
from urllib.parse import urlsplit

from pydantic import model_validator

from finser.config.sections.known_weights import AST_FAMILIES, KNOWN, WeightsKeys

SUFFIX = re.compile(r"\.(safetensors|bin|pth|pt)$")
COMMIT = re.compile(r"[0-9a-f]{40}")
NEEDED = {None: (), "hub": ("family", "repo"), "download": ("family", "address", "sha256"), "local": ("family",)}
PINS = ("revision", "file", "sha256")
ALLOWED = {None: PINS, "hub": (*PINS, "licence"), "download": ("revision", "licence"), "local": ("file", "sha256", "licence")}


class Weights(WeightsKeys):
    """Published weights, verified before they are read. `{}`: those of this name that `finser weights` lists."""

    @model_validator(mode="after")
    def _one_place(self) -> "Weights":
        given = {name for name in type(self).model_fields if getattr(self, name) is not None} - {"source", "model_size"}
        what = f"source {self.source}" if self.source else "a section without source"
        missing = [name for name in NEEDED[self.source] if name not in given]
        if missing:
            raise ValueError(f"{what} needs {' and '.join(missing)}")
        others = sorted(given - {*NEEDED[self.source], *ALLOWED[self.source]})
        if others:
            hint = "" if self.source else ": the table of known weights states it; to use other weights, add source"
            raise ValueError(f"{what} has no {' and no '.join(others)}{hint}")
        if self.model_size != type(self).model_fields["model_size"].default and self.family not in AST_FAMILIES:
            raise ValueError(f"{what} has no model_size: it is for the families {' and '.join(AST_FAMILIES)}")
        if self.address and not SUFFIX.search(urlsplit(self.address).path):
            raise ValueError(f"'{urlsplit(self.address).path}' is no file .safetensors, .bin, .pth or .pt")
        return self

    def completed(self, name: str) -> "Weights":
        """Return the section with all that the table of known weights states of `name`, if the section has no source.

        The table's checksum is that of one file of one revision: it is left out for others, and its file for another revision.
        """
        if self.source:
            return self
        known = KNOWN[name].weights.model_dump()
        if self.revision:
            known |= dict.fromkeys(PINS)
        elif self.file and self.file != known["file"]:
            known["sha256"] = None
        return Weights(**{**known, **{key: value for key in PINS if (value := getattr(self, key)) is not None}})
