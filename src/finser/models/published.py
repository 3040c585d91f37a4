"""Published weights as initial weights of a transformer: other tensor names, and position embeddings of another grid."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from finser.config.sections.classifiers import Ast
from finser.encoders.sizes import size_of
from finser.errors import FinserError
from finser.files import read_json, why
from finser.models.ast import TOKENS, grid

POSITIONS = "embeddings.position_embeddings"


def write_adapted(folder: Path, options: Ast, target: Path) -> None:
    """Write the published weights in `folder` to the file `target`, adapted to the encoder that `options` describe.

    Raises
    ------
    FinserError
        The weights are missing, or have another size.
    """
    size, config = size_of(options.model_size), read_json(folder / "config.json")
    found = f"{config.get('hidden_size')} wide, {config.get('num_hidden_layers')} layers"
    if found != (expected := f"{size.width} wide, {size.layers} layers"):
        raise FinserError("weights of another size", where=folder, expected=f"{options.model_size}: {expected}", found=found)
    model = _load(folder)
    tensors = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    tensors[POSITIONS] = adapted_positions(tensors[POSITIONS], model.embeddings.get_shape(model.config), grid(options))
    save_file({f"encoder.{name}": tensor.contiguous() for name, tensor in tensors.items()}, target)


def adapted_positions(positions: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Adapt position embeddings to another grid.

    The two tokens' embeddings stay unchanged. The patches' embeddings are cropped to the centre or interpolated bilinearly, axis by axis.
    Gong et al. (2021), section 2.2, and their code do the same, for image and spectrogram models alike.

    Parameters
    ----------
    positions : Tensor
        Shape (1, 2 + rows x columns, width), the patches row by row.
    old, new : tuple of int
        Number of rows (frequency) and columns (time).

    Returns
    -------
    Tensor
        Shape (1, 2 + new rows x new columns, width).
    """
    patches = positions[:, TOKENS:].transpose(1, 2).unflatten(2, old)  # (1, width, rows, columns)
    for axis in (3, 2):
        patches = _fitted(patches, axis, new[axis - 2])
    return torch.cat([positions[:, :TOKENS], patches.flatten(2).transpose(1, 2)], dim=1)


def _fitted(patches: Tensor, axis: int, count: int) -> Tensor:
    """Crop or interpolate `patches` (1, width, rows, columns) to `count` rows (axis 2) or columns (axis 3)."""
    here = patches.shape[axis]
    if count <= here:
        return patches.narrow(axis, here // 2 - count // 2, count)
    size = (count, patches.shape[3]) if axis == 2 else (patches.shape[2], count)
    return functional.interpolate(patches, size, mode="bilinear")


def _load(folder: Path) -> Any:
    """Load the published encoder; raise an error for tensors that are missing from the file and would stay random."""
    from transformers import ASTModel  # takes seconds

    try:
        model, about = ASTModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, output_loading_info=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise FinserError(
            f"weights that cannot be loaded ({why(error)})", where=folder, do="delete the folder and run: dvc repro"
        ) from None
    wrong = [*about["missing_keys"], *about["unexpected_keys"], *about["mismatched_keys"]]
    if wrong:
        raise FinserError(f"weights of another topology: {wrong[0]}", where=folder, do="delete the folder and run: dvc repro")
    return model
