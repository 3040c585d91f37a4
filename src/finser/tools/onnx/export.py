"""ONNX graphs of a bundle, and their comparison with torch.

``features.onnx`` takes the mel powers and the RMS of a clip, ``model.onnx`` its samples. Both return the bundle's calibrated probabilities.
`finser predict` uses the first one: onnxruntime starts in a tenth of the time that torch takes, and NumPy computes mel powers in a third of
the time that ONNX's operators take.
"""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx

from finser.audio.frames import to_float
from finser.errors import FinserError
from finser.features.log_mel import ROUND_TO
from finser.features.rows import Row
from finser.models.network import SpectrogramClassifier
from finser.predict.bundle import Bundle, Onnx
from finser.predict.engines import FEATURES, OnnxEngine, TorchEngine, session
from finser.tools.onnx import front_end
from finser.tools.onnx.builder import OPSET, Builder, Name

WAVEFORM = "model.onnx"
LEAST_SAME = 0.95  # fraction of the clips for which the class must stay
MOST_DIFFERENCE = 1e-3  # of a probability, with 32-bit weights
LONGEST = 1024  # padded length in units of 32 frames: 12 minutes, of the example that the exporter traces


def export(folder: Path, bundle: Bundle, rows: Sequence[Row], *, with_waveform: bool = True, int8: bool = False) -> Onnx:
    """Write features.onnx and model.onnx of a bundle to its folder, and compare both with torch.

    Parameters
    ----------
    folder : Path
        The bundle, with its members.
    bundle : Bundle
        Its config.json.
    rows : sequence of Row
        Clips to compare on, with audio, mel and RMS.
    with_waveform : bool
        Whether to write model.onnx, too.
    int8 : bool
        Whether to store weights with 8 bits, and compute with them: a third of the size.

    Raises
    ------
    FinserError
        A member is not a network on log-mel spectrograms, or has a recurrent layer.
    """
    engine = TorchEngine(folder, bundle)
    check(bundle, engine)
    networks = [network(classifier) for classifier in engine.classifiers]
    for name in (FEATURES, WAVEFORM) if with_waveform else (FEATURES,):
        onnx.save(graph_of(bundle, engine.classifiers, networks, with_front_end=name == WAVEFORM), folder / name)
        if int8:
            quantise(folder / name)
    return compared(folder, engine, rows, 8 if int8 else 32)


def check(bundle: Bundle, engine: TorchEngine) -> None:
    """Raise an error for a member whose network or front end cannot be exported."""
    for member, classifier in zip(bundle.members, engine.classifiers, strict=True):
        if not isinstance(classifier, SpectrogramClassifier) or getattr(classifier.options, "recurrent", 0):
            found = f"{member.folder}: {classifier.options.model}" + " with a recurrent layer" * hasattr(classifier.options, "recurrent")
            expected = "small_cnn without `recurrent`, shallow_cnn or resnet18"
            raise FinserError("no ONNX for this kind of classifier", expected=expected, found=found, do="leave out --onnx")


def network(classifier: SpectrogramClassifier) -> onnx.ModelProto:
    """Return the network, from a normalised spectrogram (1, t, bands) and its number of frames (1,) to logits (1, classes)."""
    import torch

    example = torch.zeros(1, 4 * ROUND_TO, classifier.options.log_mel.bands), torch.tensor([4 * ROUND_TO])
    units = torch.export.Dim("units", min=1, max=LONGEST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        program = torch.onnx.export(
            classifier.net.eval(),
            example,
            dynamo=True,
            dynamic_shapes=({1: ROUND_TO * units}, {}),
            opset_version=OPSET,
            verbose=False,
        )
    return program.model_proto


def graph_of(
    bundle: Bundle, classifiers: Sequence[SpectrogramClassifier], networks: Sequence[onnx.ModelProto], *, with_front_end: bool
) -> onnx.ModelProto:
    """Return the graph of all members, from samples or from mel powers and RMS, to calibrated probabilities (classes,)."""
    graph = Builder()
    mel, rms = front_end.mel_and_rms(graph, front_end.rounded(graph, "waveform")) if with_front_end else ("mel", "rms")
    total: Name | None = None
    for number, (member, classifier, net) in enumerate(zip(bundle.members, classifiers, networks, strict=True)):
        spectrogram = front_end.log_mel(graph, mel, rms, classifier.options.log_mel)
        mean, scale = classifier.net.mean.numpy(), classifier.net.scale.numpy()
        inputs = front_end.normalised(graph, spectrogram, mean, scale, classifier.options.log_mel.center)
        logits = graph.Squeeze(graph.inline(net, f"member{number}/", *inputs), np.array([0]))
        weighted = graph.Mul(graph.Softmax(graph.Div(logits, member.temperature)), member.weight)
        total = weighted if total is None else graph.Add(total, weighted)
    calibrated = graph.Softmax(graph.Div(graph.Log(graph.Max(total, np.finfo(np.float32).tiny)), bundle.temperature))
    inputs = {"waveform": ["samples"]} if with_front_end else {"mel": ["frames", mel_bands()], "rms": ["frames"]}
    about = {"classes": ",".join(bundle.classes), "sampling_rate": str(bundle.sr), "finser": bundle.finser}
    return graph.model(inputs, calibrated, "probabilities", len(bundle.classes), about)


def mel_bands() -> int:
    """Return the number of mel powers per frame."""
    return front_end.mel_bank().shape[0]


def check_agreement(same: float, bits: int, difference: float) -> None:
    """Raise an error if the class differs for more than a twentieth of the clips, or if a probability of 32-bit weights differs."""
    if same < LEAST_SAME:
        found = f"{same:.1%} of the clips"
        raise FinserError(f"{bits}-bit weights predict other classes", expected=f"{LEAST_SAME:.0%} the same", found=found, do="no --int8")
    if bits == 32 and difference > MOST_DIFFERENCE:
        raise FinserError(
            "the graph differs from torch", expected=f"at most {MOST_DIFFERENCE}", found=f"{difference:.2g}", do="report this"
        )


def quantise(path: Path) -> None:
    """Replace a graph by one with 8-bit weights; the scales of activations are computed for each clip."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(path), str(path), weight_type=QuantType.QUInt8)


def compared(folder: Path, engine: TorchEngine, rows: Iterable[Row], bits: int) -> Onnx:
    """Return the largest difference of a probability from torch, over clips and classes, of each graph."""
    rows = list(rows)
    wanted = engine.probabilities(rows)
    fast = OnnxEngine(folder).probabilities(rows)
    same = float((fast.argmax(1) == wanted.argmax(1)).mean())
    differences = {"features_difference": fast - wanted}
    if (folder / WAVEFORM).exists():
        whole = session(folder / WAVEFORM)
        found = np.stack([whole.run(None, {"waveform": to_float(row.audio)})[0] for row in rows])
        differences["waveform_difference"] = found - wanted
    check_agreement(same, bits, np.abs(fast - wanted).max())
    largest = {name: float(f"{np.abs(values).max():.2g}") for name, values in differences.items()}
    return Onnx(opset=OPSET, clips=len(rows), bits=bits, same_class=round(same, 4), **largest)
