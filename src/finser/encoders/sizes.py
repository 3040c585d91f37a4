"""Sizes of the transformer, and the names and shapes of its tensors in published files."""

from dataclasses import dataclass

PATCH = 16  # frames and bands, or pixels, of a patch
EXPANSION = 4  # units of a layer's dense part, in widths


@dataclass(frozen=True)
class Size:
    """Width, layers and attention heads."""

    width: int
    layers: int
    heads: int


def size_of(name: str) -> Size:
    """A size by name: tiny, small, base are DeiT's (Touvron et al. 2021), large is ViT's (Dosovitskiy et al. 2021), nano is for tests."""
    sizes = {"nano": (64, 3, 4), "tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
    return Size(*sizes[name])


def shapes(size: Size, channels: int, positions: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of an encoder by name.

    Names are those in published files of AST and DeiT, without the model's prefix.

    Parameters
    ----------
    size : Size
        Of the model.
    channels : int
        Number of input channels: 1 for spectrograms, 3 for images.
    positions : int
        Number of patches, plus two for the class and the distillation token.
    """
    width, wide = size.width, EXPANSION * size.width
    found = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.distillation_token": (1, 1, width),
        "embeddings.position_embeddings": (1, positions, width),
        "embeddings.patch_embeddings.projection.weight": (width, channels, PATCH, PATCH),
        "embeddings.patch_embeddings.projection.bias": (width,),
        **_dense("layernorm", width),
    }
    for number in range(size.layers):
        layer = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            found |= _dense(f"{layer}.attention.attention.{part}", width, width)
        found |= _dense(f"{layer}.attention.output.dense", width, width)
        found |= _dense(f"{layer}.intermediate.dense", wide, width) | _dense(f"{layer}.output.dense", width, wide)
        found |= _dense(f"{layer}.layernorm_before", width) | _dense(f"{layer}.layernorm_after", width)
    return found


def _dense(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    """Weight and bias of a linear layer, or of a normalisation."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
