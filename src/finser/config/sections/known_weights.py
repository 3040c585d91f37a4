"""Published weights that finser knows by name, with the pins of their files: the table behind `finser weights`.

Nothing in the table was verified by a download when it was written. Commits, checksums and sizes are those that other public programs
check or state, and licences those that they or the publishers' pages state: read the publisher's page before you use weights.
`fetch_weights` verifies each checksum, so that a wrong one in the table is an error, never another file.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from finser.config.base import AstSize, Section

Family = Literal["deit", "ast", "wav2vec2", "hubert", "wavlm", "data2vec", "whisper", "byol_s"]
SPEECH_FAMILIES: tuple[Family, ...] = ("wav2vec2", "hubert", "wavlm", "data2vec", "whisper", "byol_s")
AST_FAMILIES: tuple[Family, ...] = ("deit", "ast")  # initial weights of the model `ast`
FILE = r"^[\w-][\w.-]*(/[\w-][\w.-]*)*\.(safetensors|bin|pth|pt)$"  # no part of the path is `..`


class WeightsKeys(Section):
    """Published weights: where they are, and what they are."""

    source: Literal["hub", "download", "local"] | None = Field(
        None,
        description="hub: from `repo`; download: from `address`; local: a file or folder whose path local.yaml gives; "
        "without it, the name is one that `finser weights` lists",
    )
    family: Family | None = Field(None, description="the architecture; deit and ast: initial weights of ast, others: encoders of speech")
    model_size: AstSize = Field("base", description="of deit and ast: size of the published model (docs/classifiers.md)")
    repo: str | None = Field(None, pattern=r"^[\w.-]+/[\w.-]+$", description="OWNER/NAME (hub)")
    revision: str | None = Field(
        None, min_length=1, description="a commit, or a branch or tag, default main (hub); the version, recorded alone (download)"
    )
    file: str | None = Field(
        None, pattern=FILE, description="of the repository or folder; default: model.safetensors, or without it pytorch_model.bin"
    )
    address: str | None = Field(None, pattern=r"^https?://", description="of a file .safetensors, .bin, .pth or .pt (download)")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="of the file; another one is an error")
    licence: str | None = Field(None, description="of the weights, as their publisher states it; recorded")


@dataclass(frozen=True)
class Known:
    """Weights that finser knows by name.

    Attributes
    ----------
    weights : WeightsKeys
        Where they are, with pins.
    title : str
        What they are, in a few words.
    megabytes : int
        Size of the file in 10^6 bytes, as other programs state it, or four bytes for each parameter of the architecture.
    rate : int or None
        Sampling rate in Hz of the sounds that they were trained on; None for weights of an image model.
    citation : str
        Publication.
    """

    weights: WeightsKeys
    title: str
    megabytes: int
    rate: int | None
    citation: str

    @property
    def pinned(self) -> str:
        """What pins the file."""
        pins = ("sha256" if self.weights.sha256 else "", "commit" if self.weights.revision else "")
        return ", ".join(filter(None, pins)) or "nothing: revision main"


def _hub(family: Family, repo: str, revision: str | None, file: str | None, sha256: str | None, licence: str) -> WeightsKeys:
    return WeightsKeys(source="hub", family=family, repo=repo, revision=revision, file=file, sha256=sha256, licence=licence)


DEIT = "Touvron et al. 2021, Training data-efficient image transformers & distillation through attention, ICML"
RADFORD = "Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision, arXiv:2212.04356"
CHEN = "Chen et al. 2022, WavLM: Large-Scale Self-Supervised Pre-Training for Full Stack Speech Processing, IEEE JSTSP 16(6)"
UNISPEECH = "CC BY-SA 3.0 (LICENSE of microsoft/UniSpeech)"
SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"

KNOWN: dict[str, Known] = {
    "deit_base_384": Known(
        _hub("deit", "facebook/deit-base-distilled-patch16-384", "8bd6299902e0df981963ff2250b46907c0cf5f40", PICKLE, None, "Apache-2.0"),
        "DeiT-base, distilled, ImageNet, 384 x 384: the initial weights of the published AST",
        351,
        None,
        DEIT,
    ),
    "deit_base": Known(
        _hub("deit", "facebook/deit-base-distilled-patch16-224", "155831199e645cc8ec9ace65a38ff782be6217e1", None, None, "Apache-2.0"),
        "DeiT-base, distilled, ImageNet, 224 x 224",
        349,
        None,
        DEIT,
    ),
    "ast_audioset": Known(
        _hub(
            "ast",
            "MIT/ast-finetuned-audioset-10-10-0.4593",
            "f826b80d28226b62986cc218e5cec390b1096902",
            SAFETENSORS,
            "ae0c1e2ad4e1381d851fa9bf298ba13ebc9c5a914cdee2dbe427a6583869924d",
            "BSD-3-Clause",
        ),
        "AST, AudioSet (mAP .4593)",
        346,
        16_000,
        "Gong et al. 2021, AST: Audio Spectrogram Transformer, Interspeech",
    ),
    "wav2vec2_base": Known(
        _hub(
            "wav2vec2",
            "facebook/wav2vec2-base",
            "0b5b8e868dd84f03fd87d01f9c4ff0f080fecfe8",
            PICKLE,
            "3249fe98bfc62fcbc26067f724716a6ec49d12c4728a2af1df659013905dff21",
            "Apache-2.0",
        ),
        "wav2vec 2.0 base, LibriSpeech 960 h",
        380,
        16_000,
        "Baevski et al. 2020, wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations, NeurIPS",
    ),
    "hubert_base": Known(
        _hub(
            "hubert",
            "facebook/hubert-base-ls960",
            "dba3bb02fda4248b6e082697eee756de8fe8aa8a",
            PICKLE,
            "062249fffb353eab67547a2fbc129f7c31a2f459faf641b19e8fb007cc5c48ad",
            "Apache-2.0",
        ),
        "HuBERT base, LibriSpeech 960 h",
        378,
        16_000,
        "Hsu et al. 2021, HuBERT: Self-Supervised Speech Representation Learning by Masked Prediction of Hidden Units, IEEE/ACM TASLP 29",
    ),
    "wavlm_base_plus": Known(
        _hub(
            "wavlm",
            "microsoft/wavlm-base-plus",
            "4c66d4806a428f2e922ccfa1a962776e232d487b",
            PICKLE,
            "3bb273a6ace99408b50cfc81afdbb7ef2de02da2eab0234e18db608ce692fe51",
            UNISPEECH,
        ),
        "WavLM base+, 94,000 h",
        378,
        16_000,
        CHEN,
    ),
    "wavlm_large": Known(
        _hub(
            "wavlm",
            "microsoft/wavlm-large",
            "c1423ed94bb01d80a3f5ce5bc39f6026a0f4828c",
            PICKLE,
            "fdee460e529396ddb2f8c8e8ce0ad74cfb747b726bc6f612e666c7c1e1963c9d",
            UNISPEECH,
        ),
        "WavLM large, 94,000 h",
        1262,
        16_000,
        CHEN,
    ),
    "wav2vec2_large_robust_emotion": Known(
        _hub(
            "wav2vec2",
            "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim",
            "6eba34a2485ea31cb03600241787c3a5edab8626",
            SAFETENSORS,
            "efa5ac1a13b2d2f42182738e44794b1eb4c0cdd221a8b4ae11304c3a5f5fae95",
            "CC BY-NC-SA 4.0 (non-commercial)",
        ),
        "wav2vec 2.0 large robust, 12 layers, fine-tuned on the emotions of MSP-Podcast",
        661,
        16_000,
        "Wagner et al. 2023, Dawn of the Transformer Era in Speech Emotion Recognition: Closing the Valence Gap, IEEE TPAMI 45(9)",
    ),
    "data2vec_audio_base": Known(
        _hub("data2vec", "facebook/data2vec-audio-base", None, None, None, "Apache-2.0"),
        "data2vec audio base, LibriSpeech 960 h",
        373,
        16_000,
        "Baevski et al. 2022, data2vec: A General Framework for Self-supervised Learning in Speech, Vision and Language, ICML",
    ),
    "whisper_tiny": Known(
        _hub(
            "whisper",
            "openai/whisper-tiny",
            "169d4a4341b33bc18d8881c4b69c2e104e1cc0af",
            SAFETENSORS,
            "7ebd0e69e78190ffe1438491fa05cc1f5c1aa3a4c4db3bc1723adbb551ea2395",
            "Apache-2.0",
        ),
        "Whisper tiny, its encoder; 680,000 h",
        151,
        16_000,
        RADFORD,
    ),
    "whisper_base": Known(
        _hub(
            "whisper",
            "openai/whisper-base",
            "e37978b90ca9030d5170a5c07aadb050351a65bb",
            SAFETENSORS,
            "07cadb9f25677c8d50df603e66a98fbd842cce45047139baeb16e6219a1e807b",
            "Apache-2.0",
        ),
        "Whisper base, its encoder; 680,000 h",
        290,
        16_000,
        RADFORD,
    ),
    "whisper_small": Known(
        _hub(
            "whisper",
            "openai/whisper-small",
            "973afd24965f72e36ca33b3055d56a652f456b4d",
            SAFETENSORS,
            "1d7734884874f1a1513ed9aa760a4f8e97aaa02fd6d93a3a85d27b2ae9ca596b",
            "Apache-2.0",
        ),
        "Whisper small, its encoder; 680,000 h",
        967,
        16_000,
        RADFORD,
    ),
    "byol_s": Known(
        WeightsKeys(
            source="download",
            family="byol_s",
            address="https://github.com/Neclow/SERAB/raw/8023cb75dc6f32a6f211bfbc83efe9491c41d8b7/SERAB/checkpoints/"
            "default512_BYOLAs64x96-2107281850-e100-bs256-lr0003-rs42.pth",
            revision="8023cb75dc6f32a6f211bfbc83efe9491c41d8b7",
            sha256="449f5d0dc6b6fa8433d5e43769097520d3bc0fdae88977a7ac29e2e72ca51b52",
            licence="MIT",
        ),
        "BYOL-S, 512 dimensions, the speech of AudioSet",
        2,
        16_000,
        "Elbanna et al. 2022, BYOL-S: Learning Self-supervised Speech Representations by Bootstrapping, arXiv:2206.12038",
    ),
}
