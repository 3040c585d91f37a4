"""Statistics of an encoder as inputs of a classifier: their reader, their shape, and the choice among them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finser.config.sections.classifiers import EncoderSection
from finser.encoders import Encoder, described
from finser.encoders.embed import reader as statistics_reader
from finser.errors import FinserError
from finser.features.rows import Reader
from finser.files import read_json

ENCODER = "encoder.json"  # config.json of the encoder, beside the classifier's weights


def reader(options: EncoderSection, weights: Path | None = None) -> Reader:
    """Return the reader of the statistics of the encoder that ``init`` names, float16, (n_layers, n_statistics * dim).

    Parameters
    ----------
    options : EncoderSection
        The classifier's section of params.yaml.
    weights : Path, optional
        Folder of the encoder's weights, for clips that the stage `embed` has not seen; default: that of the project.
    """
    (encoder,) = options.reads
    return statistics_reader(encoder, weights, by_speaker=options.normalise == "speaker")


def check_same_encoder(folder: Path, weights: Path) -> None:
    """Raise an error if a classifier in `folder` is on another encoder than that in `weights`, or on other weights of it.

    Raises
    ------
    FinserError
        Their config.json differ; the origin in it has the checksum of the published file.
    """
    if read_json(folder / ENCODER) != read_json(weights / "config.json"):
        raise FinserError("is on other weights of the encoder", where=folder, expected=f"those in {weights}", do="run: dvc repro")


@dataclass(frozen=True)
class Inputs:
    """The statistics that a classifier uses.

    Attributes
    ----------
    n_layers, dim : int
        Number of layers, and width of each.
    stored : tuple of str
        Statistics that are stored of each layer, in their order.
    used : tuple of int
        Places among `stored` of those that the classifier uses.
    encoder_params : int
        Number of parameters of the encoder.
    """

    n_layers: int
    dim: int
    stored: tuple[str, ...]
    used: tuple[int, ...]
    encoder_params: int

    @property
    def width(self) -> int:
        """Numbers per layer."""
        return len(self.used) * self.dim

    def table(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Return the chosen statistics of clips, float32, shape (n, n_layers, width)."""
        clips = np.stack(inputs).reshape(len(inputs), self.n_layers, len(self.stored), self.dim)
        return clips[:, :, list(self.used)].reshape(len(inputs), self.n_layers, self.width).astype(np.float32)


def inputs_of(options: EncoderSection, folder: Path) -> tuple[Inputs, dict]:
    """Return what a classifier uses of the encoder whose config.json `folder` holds as `ENCODER`, and this config.json.

    Raises
    ------
    FinserError
        ``statistics`` asks for one that is not stored.
    """
    config = read_json(folder / ENCODER)
    encoder = described(config)
    wanted = options.statistics or encoder.STATISTICS
    for name in wanted:
        if name not in encoder.STATISTICS:
            where, expected = f"params.yaml, statistics of a classifier on {options.init}", ", ".join(encoder.STATISTICS)
            raise FinserError("a statistic that is not stored of this encoder", where=where, expected=expected, found=name)
    used = tuple(map(encoder.STATISTICS.index, wanted))
    return Inputs(encoder.n_layers, encoder.dim, encoder.STATISTICS, used, n_parameters(encoder)), config


def n_parameters(encoder: Encoder) -> int:
    """Return the number of parameters of an encoder, trained or not."""
    return sum(parameter.numel() for parameter in encoder.net.parameters())
