"""Selection of an encoder's tensors in published files, which also hold heads, decoders and quantizers, and use several names."""

from dataclasses import dataclass

import torch
from torch import Tensor

from finser.errors import FinserError

HEADS = ("quantizer.", "project_q.", "project_hid.", "lm_head.", "projector.", "classifier.", "layer_weights")
# a layer with weight normalisation, as torch named its tensors before version 2.1, and as it does since
RENAMED = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}
MASK = "masked_spec_embed"  # for SpecAugment in training; networks whose configuration masks nothing have none


@dataclass(frozen=True)
class Layout:
    """Names in the published files of a family.

    Attributes
    ----------
    prefixes : tuple of str
        Prefixes of the encoder's names, by kind of model; the first that occurs in a file is its prefix. ``""`` is for the encoder alone.
    outside : tuple of str
        Prefixes of the names of all other tensors, which are dropped.
    """

    prefixes: tuple[str, ...]
    outside: tuple[str, ...]


LAYOUTS = {
    "wav2vec2": Layout(("wav2vec2.", ""), HEADS),
    "hubert": Layout(("hubert.", ""), HEADS),
    "wavlm": Layout(("wavlm.", ""), HEADS),
    "data2vec": Layout(("data2vec_audio.", ""), HEADS),
    "whisper": Layout(("model.encoder.", "encoder.", ""), ("model.decoder.", "decoder.", "proj_out.", *HEADS)),
    "byol_s": Layout(("",), ()),
}


def select(published: dict[str, Tensor], family: str, expected: dict[str, tuple[int, ...]], where: object) -> dict[str, Tensor]:
    """Return the encoder's tensors under the names of its network.

    Parameters
    ----------
    published : dict
        Tensors by the names in the published file.
    family : str
        A key of `LAYOUTS`.
    expected : dict
        Shape of every tensor of the network (:func:`finser.encoders.expected_shapes`).
    where : object
        Name of the file in errors.

    Raises
    ------
    FinserError
        A tensor is missing, unknown, of another shape or not finite.
    """
    layout = LAYOUTS[family]
    prefix = next((prefix for prefix in layout.prefixes if any(name.startswith(prefix) for name in published)), "")
    kept = {}
    for name, tensor in published.items():
        if prefix and name.startswith(prefix) or not name.startswith(layout.outside):
            kept[_renamed(name.removeprefix(prefix))] = tensor
    if MASK not in expected:
        kept.pop(MASK, None)
    return checked(kept, expected, where, of=f"{family} as in config.json", do="correct family, revision or file in params.yaml")


def _renamed(name: str) -> str:
    suffix = next((old for old in RENAMED if name.endswith(old)), None)
    return name.removesuffix(suffix) + RENAMED[suffix] if suffix else name


def checked(found: dict[str, Tensor], expected: dict[str, tuple[int, ...]], where: object, of: str, do: str) -> dict[str, Tensor]:
    """Return the tensors as float32, integers as they are, if they are exactly the `expected` ones and finite.

    Parameters
    ----------
    found, expected : dict
        Tensors and shapes by name.
    where : object
        Name of the file in errors.
    of, do : str
        What the tensors should belong to, and advice, for errors.
    """
    for name, shape in expected.items():
        if name not in found:
            raise FinserError(f"lacks '{name}'", where=where, expected=of, do=do)
        if tuple(found[name].shape) != shape:
            this = tuple(found[name].shape)
            raise FinserError(f"'{name}' has another shape", where=where, expected=f"{shape}, as {of} have", found=this, do=do)
    unknown = sorted(set(found) - set(expected))
    if unknown:
        raise FinserError(f"unknown tensor '{unknown[0]}'", where=where, expected=of, do=do)
    bad = next((name for name, tensor in found.items() if not torch.isfinite(tensor).all()), None)
    if bad:
        raise FinserError(f"'{bad}' is not finite", where=where)
    return {name: (tensor.float() if tensor.is_floating_point() else tensor).contiguous() for name, tensor in found.items()}
