"""ONNX graphs of a bundle, and their comparison with torch.

``features.onnx`` takes features of a clip (:data:`finser.predict.engines.INPUTS`), ``model.onnx`` its samples. Both return the bundle's
calibrated probabilities. `finser predict` uses the first one: onnxruntime starts in a tenth of the time that torch takes, and NumPy
computes mel powers in a third of the time that ONNX's operators take. The second is written if all members are networks on log-mel
spectrograms, whose front end is part of the graph.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx

from finser.audio.frames import to_float
from finser.errors import FinserError
from finser.features.rows import Row
from finser.predict.bundle import Bundle, Onnx
from finser.predict.engines import FEATURES, INPUTS, OnnxEngine, TorchEngine, session
from finser.scores.metrics import confusion_matrix, uar
from finser.tools.onnx import front_end
from finser.tools.onnx.builder import OPSET, Builder, Name
from finser.tools.onnx.members import Part, part_of

WAVEFORM = "model.onnx"
LEAST_SAME = 0.95  # fraction of the clips for which the class must stay
MOST_DIFFERENCE = 1e-3  # of a probability, with 32-bit weights
MOST_LOST = 0.01  # UAR that weights of 8 bits may lose
FLOAT = "leave out --int8"
FRONT_END = ("mel", "rms")  # inputs that are computed from samples in model.onnx


def export(folder: Path, bundle: Bundle, rows: Sequence[Row], truth: np.ndarray, *, with_waveform: bool = True, int8: bool = False) -> Onnx:
    """Write features.onnx and model.onnx of a bundle to its folder, and compare both with torch.

    Parameters
    ----------
    folder : Path
        The bundle, with its members.
    bundle : Bundle
        Its config.json.
    rows : sequence of Row
        Clips to compare on, with samples and all features.
    truth : np.ndarray
        Their classes, shape (n,), on which UAR is compared.
    with_waveform : bool
        Whether to write model.onnx, too, if the front ends of all members can be part of a graph.
    int8 : bool
        Whether to store weights of matrix products and convolutions with 8 bits, and compute with them.

    Raises
    ------
    FinserError
        There is no ONNX for a member, or the graph differs from torch.
    """
    engine = TorchEngine(folder, bundle)
    with quiet():
        parts = [part_of(classifier, member.folder) for member, classifier in zip(bundle.members, engine.classifiers, strict=True)]
        names = (FEATURES, WAVEFORM) if with_waveform and set(inputs_of(parts)) <= set(FRONT_END) else (FEATURES,)
        for name in names:
            onnx.save(graph_of(bundle, parts, with_front_end=name == WAVEFORM), folder / name)
            if int8:
                quantise(folder / name)
    return compared(folder, engine, rows, truth, 8 if int8 else 32)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what the exporter and onnxruntime log about themselves, such as that torchvision is not installed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def graph_of(bundle: Bundle, parts: Sequence[Part], *, with_front_end: bool) -> onnx.ModelProto:
    """Return the graph of all members, from samples or from features, to calibrated probabilities (classes,)."""
    graph, names = Builder(), inputs_of(parts)
    given = dict(zip(names, names, strict=True))
    if with_front_end:
        given = dict(zip(FRONT_END, front_end.mel_and_rms(graph, front_end.rounded(graph, "waveform")), strict=True))
    total: Name | None = None
    for number, (member, part) in enumerate(zip(bundle.members, parts, strict=True)):
        logits = part.logits(graph, f"member{number}/", *(given[name] for name in part.inputs))
        weighted = graph.Mul(graph.Softmax(graph.Div(logits, member.temperature)), member.weight)
        total = weighted if total is None else graph.Add(total, weighted)
    calibrated = graph.Softmax(graph.Div(graph.Log(graph.Max(total, np.finfo(np.float32).tiny)), bundle.temperature))
    inputs = {"waveform": ["samples"]} if with_front_end else {name: list(INPUTS[name].shape) for name in names}
    about = {"classes": ",".join(bundle.classes), "sampling_rate": str(bundle.sr), "finser": bundle.finser}
    return graph.model(inputs, calibrated, "probabilities", len(bundle.classes), about)


def inputs_of(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the names of all inputs, each once."""
    return tuple(dict.fromkeys(name for part in parts for name in part.inputs))


def check_agreement(found: Onnx) -> None:
    """Raise an error if a probability of 32-bit weights differs, or if 8-bit weights predict other classes or with a lower UAR."""
    largest = max(found.features_difference, found.waveform_difference or 0.0)
    if found.bits == 32:
        if largest > MOST_DIFFERENCE:
            raise FinserError(
                "the graph differs from torch", expected=f"at most {MOST_DIFFERENCE}", found=f"{largest:.2g}", do="report this"
            )
        return
    if found.same_class < LEAST_SAME:
        said = f"{found.same_class:.1%} of the clips"
        raise FinserError("8-bit weights predict other classes", expected=f"{LEAST_SAME:.0%} the same", found=said, do=FLOAT)
    check_uar(found.uar, found.torch_uar, f"{found.clips} training clips")


def check_uar(of_8_bits: float, of_32_bits: float, where: str) -> None:
    """Raise an error if 8-bit weights have a UAR that is more than .01 lower."""
    if of_8_bits < of_32_bits - MOST_LOST:
        what, expected = f"8-bit weights lower the UAR on {where}", f"{of_32_bits - MOST_LOST:.3f} or more"
        raise FinserError(what, expected=expected, found=f"{of_8_bits:.3f}", do=FLOAT)


def quantise(path: Path) -> None:
    """Replace a graph by one with 8-bit weights; the scales of activations are computed for each clip."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(path), str(path), weight_type=QuantType.QUInt8)


def compared(folder: Path, engine: TorchEngine, rows: Sequence[Row], truth: np.ndarray, bits: int) -> Onnx:
    """Return class agreement, UAR, and the largest difference of a probability, of the graphs of a bundle and torch."""
    fast = OnnxEngine(folder)
    wanted, found = engine.probabilities(rows), {"features_difference": fast.probabilities(rows)}
    if (folder / WAVEFORM).exists():
        whole = session(folder / WAVEFORM)
        found["waveform_difference"] = np.stack([whole.run(None, {"waveform": to_float(row.audio)})[0] for row in rows])
    stated = Onnx(
        opset=OPSET,
        inputs=fast.inputs,
        clips=len(rows),
        bits=bits,
        same_class=round(min(float((one.argmax(1) == wanted.argmax(1)).mean()) for one in found.values()), 4),
        uar=min(_uar(one, truth) for one in found.values()),
        torch_uar=_uar(wanted, truth),
        **{name: float(f"{np.abs(values - wanted).max():.2g}") for name, values in found.items()},
    )
    check_agreement(stated)
    return stated


def _uar(probabilities: np.ndarray, truth: np.ndarray) -> float:
    return round(float(uar(confusion_matrix(truth, probabilities.argmax(1), probabilities.shape[1]))), 4)
