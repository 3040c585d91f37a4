"""Conversion of published tensors to AST's format: one input channel, no heads, and a config.json for `transformers.ASTModel`."""

import math
from dataclasses import dataclass

from torch import Tensor

from finser.config.sections.fetch_weights import Weights
from finser.encoders.sizes import EXPANSION, PATCH, Size, shapes, size_of
from finser.encoders.tensors import checked
from finser.errors import FinserError

BANDS = 128  # of the filter banks that are a published AST's input
STRIDE = 10  # bands and frames between its patches
TOKENS = 2  # class and distillation


@dataclass(frozen=True)
class Kind:
    """Names in a published file, and its input.

    Attributes
    ----------
    prefix : str
        Prefix of the names of the encoder's tensors, in files that also hold heads.
    heads : tuple of str
        Prefixes of the tensors outside the encoder, which are dropped.
    channels : int
        Number of input channels.
    """

    prefix: str
    heads: tuple[str, ...]
    channels: int


def kind_of(family: str) -> Kind:
    """Return the layout of a family's published files.

    ``deit`` is the layout of facebook/deit-base-distilled-patch16-224, ``ast`` that of MIT/ast-finetuned-audioset-10-10-0.4593.
    """
    if family == "deit":
        return Kind("deit.", ("cls_classifier.", "distillation_classifier.", "classifier.", "pooler."), 3)
    return Kind("audio_spectrogram_transformer.", ("classifier.",), 1)


def convert(published: dict[str, Tensor], options: Weights, where: object) -> tuple[dict[str, Tensor], dict]:
    """Convert published tensors to those of an AST without a head; return them with its configuration.

    The kernels of an image model's three input channels are summed to one channel. The output then equals that for an image of three equal
    channels. Gong et al. (2021), section 2.2, aim at this with their averaging; their code sums, too.

    Parameters
    ----------
    published : dict
        Tensors as :func:`finser.encoders.reading.read` returns them.
    options : Weights
        Family and size.
    where : object
        Name of the file in errors.

    Raises
    ------
    FinserError
        Tensors are missing, unknown, or of another size.
    """
    kind, size = kind_of(options.family), size_of(options.model_size)
    kept = {name.removeprefix(kind.prefix): tensor for name, tensor in published.items() if not name.startswith(kind.heads)}
    name = "embeddings.position_embeddings"
    positions = kept[name].shape[1] if name in kept and kept[name].ndim == 3 else 0
    of, do = f"weights of family {options.family}, size {options.model_size}", "correct family or model_size in params.yaml"
    kept = checked(kept, shapes(size, kind.channels, positions), where, of, do)
    projection = "embeddings.patch_embeddings.projection.weight"
    kept[projection] = kept[projection].sum(1, keepdim=True)  # (width, channels, 16, 16) -> (width, 1, 16, 16)
    stride = PATCH if options.family == "deit" else STRIDE
    return kept, configuration(size, *grid_of(options.family, positions - TOKENS, where), stride)


def grid_of(family: str, patches: int, where: object) -> tuple[int, int]:
    """Return rows and columns of the patches.

    An image model has a square grid. An AST has as many rows as 128 bands give at a stride of 10.
    """
    rows = math.isqrt(max(patches, 0)) if family == "deit" else (BANDS - PATCH) // STRIDE + 1
    if patches < 1 or patches % rows or family == "deit" and rows * rows != patches:
        raise FinserError(
            f"{patches} position embeddings", where=where, expected="a square" if family == "deit" else f"a multiple of {rows}"
        )
    return rows, patches // rows


def configuration(size: Size, rows: int, columns: int, stride: int) -> dict:
    """Return the values of ``transformers.ASTConfig``; its numbers of bands and frames give these rows and columns of patches."""
    return {
        "architectures": ["ASTModel"],
        "model_type": "audio-spectrogram-transformer",
        "hidden_size": size.width,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": EXPANSION * size.width,
        "patch_size": PATCH,
        "num_mel_bins": (rows - 1) * stride + PATCH,
        "max_length": (columns - 1) * stride + PATCH,
        "frequency_stride": stride,
        "time_stride": stride,
    }
