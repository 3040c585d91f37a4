"""An encoder of speech that is trained further on emotions, with pooling over time of a weighted sum of its layers."""

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils import parametrize

from finser.config.sections.classifiers import EncoderTuned
from finser.encoders import build
from finser.encoders.base import RATE, Encoder, within
from finser.encoders.sound import sound_of
from finser.errors import FinserError
from finser.features.rows import Reader
from finser.files import read_json, write_json
from finser.models import readable_model
from finser.models.encoder_inputs import ENCODER, n_parameters
from finser.models.encoder_samples import CollateSamples
from finser.models.network import WEIGHTS, NetworkClassifier, n_trainable
from finser.models.pooling import Pool, WeightedLayers

LORA_SCALE = 2.0  # factor of the low-rank updates: alpha / r of Hu et al. (2021)


class TunedNet(nn.Module):
    """Encoder, weighted sum of its layers, pooling over time, batch normalisation, dropout, Linear.

    Hidden states have no common scale: the batch normalisation has no trained parameters, and scales the pooled vector to mean 0 and
    variance 1. Batch normalisation inside an encoder keeps its published statistics, because batches of fine-tuning are small and padded.

    Parameters
    ----------
    encoder : Encoder
        With random weights; the published ones are loaded later.
    options : EncoderTuned
        The classifier's section of params.yaml.
    n_classes : int
        Number of logits.
    """

    def __init__(self, encoder: Encoder, options: EncoderTuned, n_classes: int) -> None:
        super().__init__()
        self.encoder, self.layers = encoder, WeightedLayers(encoder.n_layers)
        self.encoder_params = n_parameters(encoder)  # without low-rank updates
        self.pool, self.dropout = Pool(encoder.dim, options.pooling), nn.Dropout(options.dropout)
        self.norm = nn.BatchNorm1d(2 * encoder.dim, affine=False)
        self.out = nn.Linear(2 * encoder.dim, n_classes)
        self.frozen = frozen_modules(encoder, options)
        for module in self.frozen:
            module.requires_grad_(False)
        if options.lora_rank:  # dropout stays on, and so does gradient checkpointing, which evaluation mode would disable
            encoder.requires_grad_(False)
            add_low_rank(encoder, options.lora_rank)

    def forward(self, inputs: Tensor, counts: Tensor) -> Tensor:
        """Return logits (batch, classes) of the encoder's inputs, of windows with `counts` samples, (batch,)."""
        states = torch.stack([state.float() for state in self.encoder(inputs, counts)], 1)  # (batch, layers, t, dim)
        mask = within(self.encoder.n_frames(counts), states.shape[2])  # (batch, t)
        summed = self.layers(torch.where(mask[:, None, :, None], states, 0.0))  # (batch, t, dim)
        return self.out(self.dropout(self.norm(self.pool(summed, mask))))

    def train(self, mode: bool = True) -> "TunedNet":
        """Switch to training; frozen modules and the encoder's batch normalisation stay in evaluation mode."""
        super().train(mode)
        for module in (*self.frozen, *(one for one in self.encoder.modules() if isinstance(one, nn.BatchNorm2d))):
            module.eval()
        return self


def frozen_modules(encoder: Encoder, options: EncoderTuned) -> list[nn.Module]:
    """Return the modules of the encoder that stay as published.

    Raises
    ------
    FinserError
        ``frozen_layers`` leaves nothing to train.
    """
    if options.frozen_layers >= encoder.n_layers:
        where, expected = f"params.yaml, frozen_layers of a classifier on {options.init}", f"less than {encoder.n_layers}"
        raise FinserError("no layer is left to fine-tune", where=where, expected=expected, found=options.frozen_layers)
    front_end = encoder.front_end() if options.front_end == "frozen" else []
    return [*front_end, *(module for layer in range(options.frozen_layers) for module in encoder.block(layer))]


class LowRank(nn.Module):
    """A low-rank update of a matrix (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"); zero at first."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight: Tensor) -> Tensor:
        """(out, in) -> (out, in)."""
        return weight + LORA_SCALE * self.up @ self.down


def add_low_rank(encoder: Encoder, rank: int) -> None:
    """Add low-rank updates to the products of queries and values.

    Raises
    ------
    FinserError
        The encoder has no attention.
    """
    products = encoder.attention()
    if not products:
        raise FinserError("an encoder without attention has no low-rank updates", where="lora_rank", expected="0", found=rank)
    for product in products:
        parametrize.register_parametrization(product, "weight", LowRank(product.weight, rank), unsafe=False)


class TunedClassifier(NetworkClassifier):
    """:class:`TunedNet` with the interface of all classifiers."""

    net: TunedNet
    options: EncoderTuned

    def __init__(self, net: TunedNet, options: EncoderTuned, encoder: dict) -> None:
        super().__init__(net, options)
        self.encoder = encoder
        if options.gradient_checkpointing:
            net.encoder.recompute_activations()

    @property
    def n_params(self) -> int:
        """Number of trained weights and biases; those of frozen modules do not count."""
        return n_trainable(parameter for parameter in self.net.parameters() if parameter.requires_grad)

    @property
    def encoder_params(self) -> int:
        """Number of parameters of the published encoder, trained or not."""
        return self.net.encoder_params

    @property
    def found(self) -> dict:
        """Return the weights of the layers."""
        return {"layer_weights": self.net.layers.weights()}

    def normalise_on(self, inputs: list) -> None:
        """Do nothing: the encoder scales each clip as in its pretraining."""

    def groups(self) -> list[dict]:
        """Return the parameter groups: what is above the encoder, and its layers with rates that fall towards its input.

        The weights of the layers have no weight decay.
        """
        head, layers = [*self.net.pool.parameters(), *self.net.out.parameters()], list(self.net.layers.parameters())
        rate = self.options.learning_rate
        return [{"params": head, "lr": rate}, {"params": layers, "lr": rate, "weight_decay": 0.0}, *self._encoder_groups()]

    def _encoder_groups(self) -> Iterator[dict]:
        encoder, options, seen = self.net.encoder, self.options, set()
        for layer in reversed(range(-1, encoder.n_layers)):
            modules = encoder.block(layer) if layer >= 0 else [encoder]  # what is in no block, with the rate below the lowest
            found = {id(one): one for module in modules for one in module.parameters() if one.requires_grad and id(one) not in seen}
            seen |= found.keys()
            if found:
                rate = options.encoder_learning_rate * options.layer_decay ** (encoder.n_layers - 1 - layer)
                yield {"params": list(found.values()), "lr": rate}

    def collate(self, *, training: bool) -> CollateSamples:
        """Return a collate with crops and augmentation for training, of whole clips otherwise."""
        encoder, crop = self.net.encoder, round(self.options.crop_seconds * RATE)
        return CollateSamples(encoder, min(crop, encoder.window), self.options.augment) if training else CollateSamples(encoder)

    def receive(self, folder: Path) -> None:
        """Load the published weights of the encoder from `folder`; the layers above it keep their random weights.

        Raises
        ------
        FinserError
            The file is missing or damaged, or lacks a tensor of this encoder.
        """
        path, names = folder / WEIGHTS, set(self.net.encoder.net.state_dict())
        with readable_model(path):
            given = load_file(path)
        given = {_under_low_rank(name) if _under_low_rank(name) in names else name: tensor for name, tensor in given.items()}
        wrong = sorted((names ^ given.keys()) - {name for name in names if name.endswith((".0.down", ".0.up"))})
        if wrong:
            raise FinserError(f"weights of another topology: {wrong[0]}", where=path, do="run: dvc repro")
        self.net.encoder.net.load_state_dict(given, strict=False)

    def save(self, folder: Path) -> None:
        """Write the network to model.safetensors, and the encoder's config.json."""
        super().save(folder)
        write_json(folder / ENCODER, self.encoder)


def _under_low_rank(name: str) -> str:
    """Return the name that a matrix has under a low-rank update."""
    return f"{name.removesuffix('.weight')}.parametrizations.weight.original" if name.endswith(".weight") else name


def reader(_: EncoderTuned) -> Reader:
    """Return the reader of samples at 16 kHz without silent ends, float32, shape (n,)."""
    return Reader(lambda row: sound_of(row.audio), audio=True)


def begin(options: EncoderTuned, n_classes: int, given: Path) -> TunedClassifier:
    """Return a network with random weights from torch's generator, with the encoder whose config.json `given` holds."""
    encoder = read_json(given / ENCODER)
    return TunedClassifier(TunedNet(build(encoder), options, n_classes), options, encoder)
