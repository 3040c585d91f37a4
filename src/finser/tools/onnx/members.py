"""The members of a bundle as parts of an ONNX graph: from a clip's features to logits."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import nn

from finser.errors import FinserError
from finser.features.log_mel import ROUND_TO
from finser.features.statistics import DIM, of_mfcc
from finser.models import Classifier
from finser.models.ast import PADDING, AstClassifier
from finser.models.mlp import MlpClassifier
from finser.models.network import SpectrogramClassifier
from finser.models.rbf_svm import SvmClassifier
from finser.tools.onnx import front_end
from finser.tools.onnx.builder import OPSET, Builder, Name

LONGEST = 1024  # units of 32 frames that the exporter must allow: 12.7 minutes, more than a clip may have
NEVER = -1e30  # logit of a class that an SVM was not trained on


@dataclass(frozen=True)
class Part:
    """A member.

    Attributes
    ----------
    inputs : tuple of str
        Names of its inputs, of those in :data:`finser.predict.engines.INPUTS`.
    logits : callable
        Adds the member to a graph: (graph, prefix of names, *inputs) -> logits, shape (classes,).
    """

    inputs: tuple[str, ...]
    logits: Callable[..., Name]


def part_of(classifier: Classifier, where: str) -> Part:
    """Return a classifier as a part of a graph.

    Raises
    ------
    FinserError
        There is none for this kind: an ensemble of FINs, a recurrent layer, or an SVM on openSMILE's functionals.
    """
    options = classifier.options
    others = getattr(options, "representation", "statistics") != "statistics"  # openSMILE computes them, and not the runtime's caller
    for kind, function in KINDS.items():
        if isinstance(classifier, kind) and not getattr(options, "recurrent", 0) and not others:
            return function(classifier)
    found = f"{where}: {options.model}" + " with a recurrent layer" * hasattr(options, "recurrent")
    found += f" on {options.representation}" if others else ""
    expected = "svm on statistics, mlp, small_cnn without `recurrent`, shallow_cnn, resnet18 or ast"
    raise FinserError("no ONNX for this kind of classifier", expected=expected, found=found, do="leave out --onnx")


def _spectrogram(classifier: SpectrogramClassifier) -> Part:
    options = classifier.options.log_mel
    example = torch.zeros(1, 4 * ROUND_TO, options.bands), torch.tensor([4 * ROUND_TO])
    units = torch.export.Dim("units", min=1, max=LONGEST)
    net = exported(classifier.net, example, ({1: ROUND_TO * units}, {}))
    mean, scale = classifier.net.mean.numpy(), classifier.net.scale.numpy()

    def logits(graph: Builder, prefix: str, mel: Name, rms: Name) -> Name:
        """Add log-mel spectrogram, normalisation and network: (t, 128), (t,) -> (classes,)."""
        spectrogram = front_end.log_mel(graph, mel, rms, options)
        inputs = front_end.normalised(graph, spectrogram, mean, scale, options.center)
        return graph.Squeeze(graph.inline(net, prefix, *inputs), np.array([0]))

    return Part(("mel", "rms"), logits)


def _mlp(classifier: MlpClassifier) -> Part:
    places = of_mfcc(np.arange(DIM))  # of its inputs among the 211 statistics
    net = exported(classifier.net, (torch.zeros(1, len(places)),))

    def logits(graph: Builder, prefix: str, statistics: Name) -> Name:
        """Add the choice of 200 statistics and the perceptron: (211,) -> (classes,)."""
        chosen = graph.Unsqueeze(graph.Gather(statistics, places), np.array([0]))
        return graph.Squeeze(graph.inline(net, prefix, chosen), np.array([0]))

    return Part(("statistics",), logits)


def _ast(classifier: AstClassifier) -> Part:
    frames, mean, scale = classifier.options.frames, classifier.net.mean.numpy(), classifier.net.scale.numpy()
    net = exported(_WithoutCounts(classifier.net), (torch.zeros(1, frames, front_end.mel_bank().shape[0]),))

    def logits(graph: Builder, prefix: str, filter_banks: Name) -> Name:
        """Add the central crop or padding, normalisation and transformer: (t, 128) -> (classes,)."""
        length = graph.Gather(graph.Shape(filter_banks), np.array([0]))  # (1,)
        start = graph.Div(graph.Max(graph.Sub(length, np.array([frames])), np.array([0])), np.array([2]))
        cut = graph.Slice(filter_banks, start, graph.Add(start, np.array([frames])), np.array([0]))
        missing = graph.Max(graph.Sub(np.array([frames]), length), np.array([0]))
        whole = graph.Pad(cut, graph.Concat(np.array([0, 0]), missing, np.array([0]), axis=0), PADDING)
        scaled = graph.Div(graph.Sub(whole, mean), scale)
        return graph.Squeeze(graph.inline(net, prefix, graph.Unsqueeze(scaled, np.array([0]))), np.array([0]))

    return Part(("filter_banks",), logits)


def _svm(classifier: SvmClassifier) -> Part:
    arrays = classifier.arrays
    first, second, weights = pairs_of(arrays)
    classes = np.eye(classifier.n_classes)[arrays["classes"]]  # (seen, classes)
    never = np.where(classes.any(0), 0, NEVER)

    def logits(graph: Builder, prefix: str, statistics: Name) -> Name:
        """Add z-scores, kernel, pairwise decisions and votes: (211,) -> (classes,)."""
        scaled = graph.Div(graph.Sub(statistics, arrays["mean"]), arrays["scale"])  # (211,)
        distances = graph.ReduceSumSquare(graph.Sub(arrays["support"], scaled), np.array([1]), keepdims=0)  # (n_support,)
        kernel = graph.Exp(graph.Mul(distances, -arrays["gamma"]))
        values = graph.Add(graph.MatMul(kernel, weights), arrays["intercept"])  # (pairs,)
        is_first = graph.Cast(graph.GreaterOrEqual(values, 0.0), to=onnx.TensorProto.FLOAT)
        votes = graph.Add(graph.MatMul(is_first, first), graph.MatMul(graph.Sub(1.0, is_first), second))  # (seen,)
        confidence = graph.MatMul(values, first - second)
        squashed = graph.Div(confidence, graph.Mul(graph.Add(graph.Abs(confidence), 1.0), 3.0))
        return graph.Add(graph.MatMul(graph.Add(votes, squashed), classes), never)

    return Part(("statistics",), logits)


KINDS: dict[type, Callable[..., Part]] = {
    SpectrogramClassifier: _spectrogram,
    MlpClassifier: _mlp,
    AstClassifier: _ast,
    SvmClassifier: _svm,
}


def pairs_of(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairwise SVMs as matrices.

    Parameters
    ----------
    arrays : dict
        Of :class:`finser.models.rbf_svm.SvmClassifier`.

    Returns
    -------
    first, second : np.ndarray
        1 at the first or second class of each pair, shape (pairs, seen).
    weights : np.ndarray
        Coefficient of each support vector in each pair, shape (n_support, pairs).
    """
    seen, dual = len(arrays["classes"]), arrays["dual"]
    i, j = np.triu_indices(seen, 1)
    owner = np.repeat(np.arange(seen), arrays["n_support"])[:, None]  # class of each support vector
    vectors = np.arange(len(owner))[:, None]
    weights = np.where(owner == i, dual[j - 1, vectors], 0) + np.where(owner == j, dual[i, vectors], 0)
    return np.eye(seen)[i], np.eye(seen)[j], weights


def exported(net: nn.Module, example: Sequence[torch.Tensor], dynamic: tuple | None = None) -> onnx.ModelProto:
    """Return a network as ONNX, for one clip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        program = torch.onnx.export(net.eval(), tuple(example), dynamo=True, dynamic_shapes=dynamic, opset_version=OPSET, verbose=False)
    return program.model_proto


class _WithoutCounts(nn.Module):
    """A network that ignores the numbers of frames, as a function of the frames alone."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes) of normalised filter banks (batch, t, 128)."""
        return self.net(x, None)
