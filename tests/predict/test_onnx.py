"""ONNX graphs of bundles: against torch on clips of the corpus, on silence, on short and loud clips, and on made-up networks."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
import torch

from finser import layout
from finser.audio.frames import SR, to_float, to_int16
from finser.audio.shards import read_audio
from finser.config.sections.classifiers import KINDS
from finser.errors import FinserError
from finser.features.examples import Examples
from finser.features.labels import features
from finser.features.rows import Row
from finser.models import Classifier, begin
from finser.predict import bundle as bundles
from finser.predict.engines import OnnxEngine, TorchEngine
from finser.predict.predictor import LocalPredictor
from finser.scores.calibration import rescale
from finser.tools.bundling import bundle, said
from finser.tools.onnx import front_end
from finser.tools.onnx.builder import Builder
from finser.tools.onnx.export import check_agreement, export


@pytest.fixture(scope="module")
def place(project_of_bundles, kept) -> Path:
    """The project; onnx/ has bundles of small_cnn with graphs: of all speakers, and of folds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project_of_bundles)
        patch.setenv("FINSER_CORES", "1")
        bundle(kept, "small_cnn", Path("onnx/one"), onnx="all")
        bundle(kept, "shallow_cnn", Path("onnx/folds"), folds=True, onnx="all")
        bundle(kept, "small_cnn", Path("onnx/features"), onnx="features")
        for kind in ("svm", "mlp", "ast"):
            bundle(kept, kind, Path("onnx") / kind, folds=True, onnx="all")
    return project_of_bundles


SLOW = "torch librosa sklearn huggingface_hub pandas transformers finser.config.params"


def sounds() -> dict[str, np.ndarray]:
    """int16 samples that have been trouble: silence, shorter than a frame, one loud sample, silent ends, full scale."""
    rng = np.random.default_rng(3)
    speech = 6000 * rng.standard_normal(SR) * (np.sin(np.arange(SR) / 500) > 0)
    return {
        "silence": np.zeros(SR, np.int16),
        "short": (100 * rng.standard_normal(300)).astype(np.int16),
        "click": np.eye(1, SR, 9000)[0].astype(np.int16) * 20_000,
        "silent ends": np.concatenate([np.zeros(SR), speech, np.zeros(2 * SR)]).astype(np.int16),
        "full scale": np.sign(speech).astype(np.int16) * np.int16(32_767),
        "a minute": np.tile(speech, 60).astype(np.int16),
    }


def row(audio: np.ndarray) -> Row:
    return Row("", "original", audio, features(audio))


def saved(place: Path, folder: Path, classifier: Classifier, classes: str = "abc") -> bundles.Bundle:
    """Write a classifier as the only member of a bundle, without config.json of the bundle."""
    made = bundles.read(place / "onnx/one").model_copy(update={"classes": tuple(classes), "temperature": 1.3})
    member = folder / made.members[0].folder
    member.mkdir(parents=True)
    classifier.save(member)
    (member / "config.json").write_text(f'{{"classes": {json.dumps(list(classes))}, "options": {classifier.options.model_dump_json()}}}')
    return made


def run(path: Path, **inputs: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(str(path)).run(None, inputs)[0]


@pytest.mark.parametrize("name", sounds())
@pytest.mark.parametrize("kind", ["one", "folds"])
def test_probabilities_are_those_of_torch(place, kind, name):
    folder, audio = place / "onnx" / kind, sounds()[name]
    (wanted,) = TorchEngine(folder, bundles.read(folder)).probabilities([row(audio)])
    np.testing.assert_allclose(OnnxEngine(folder).probabilities([row(audio)])[0], wanted, atol=1e-5)
    np.testing.assert_allclose(run(folder / "model.onnx", waveform=to_float(audio)), wanted, atol=1e-4)


@pytest.mark.parametrize("kind", ["one", "folds"])
def test_the_stated_difference_is_that_of_the_training_clips(place, kind, monkeypatch):
    monkeypatch.chdir(place)
    folder = place / "onnx" / kind
    stated = bundles.read(folder).onnx
    rows = [row(one.audio) for one in read_audio(layout.shards("ravdess")) if one.variant == "original"]
    wanted = TorchEngine(folder, bundles.read(folder)).probabilities(rows)
    assert 0 < stated.clips <= 200
    assert np.abs(OnnxEngine(folder).probabilities(rows) - wanted).max() <= max(2 * stated.features_difference, 1e-6)
    assert max(stated.features_difference, stated.waveform_difference) < 1e-4
    assert f"{stated.clips} training clips" in (folder / "README.md").read_text()


def test_weights_of_8_bits(place, kept, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    monkeypatch.setattr("finser.tools.onnx.export.MOST_LOST", 0.1)  # a class of few clips of the miniature corpus
    made = bundle(kept, "small_cnn", tmp_path / "made", onnx="all", int8=True)
    assert made.onnx.torch_uar - 0.1 < made.onnx.uar
    assert made.onnx.bits == 8 and made.onnx.same_class > 0.9 and 1e-6 < made.onnx.features_difference < 0.3
    for name in ("features.onnx", "model.onnx"):
        assert (tmp_path / "made" / name).stat().st_size < (place / "onnx/one" / name).stat().st_size
    kinds = {node.op_type for node in onnx.load(tmp_path / "made/features.onnx").graph.node}
    assert "ConvInteger" in kinds and "Conv" not in kinds
    assert "8 bits" in (tmp_path / "made/README.md").read_text() and bundles.read(place / "onnx/one").onnx.same_class == 1


def test_8_bits_that_lower_the_uar_are_refused_and_nothing_is_written(place, kept, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    monkeypatch.setattr("finser.tools.onnx.export.MOST_LOST", -0.01)
    with pytest.raises(FinserError, match="8-bit weights lower the UAR on .* training clips; .*; leave out --int8"):
        bundle(kept, "small_cnn", tmp_path / "made", onnx="all", int8=True)
    assert not list(tmp_path.iterdir())


def test_the_worse_graph_counts(place):
    good = bundles.read(place / "onnx/one").onnx
    check_agreement(good)
    check_agreement(good.model_copy(update={"same_class": 0.5}))  # of 32 bits: only a difference is an error
    for change, line in (
        ({"waveform_difference": 0.1}, "the graph differs from torch; expected at most 0.001; found 0.1"),
        ({"bits": 8, "same_class": 0.9}, "8-bit weights predict other classes; expected 95% the same; found 90.0% of the clips"),
        ({"bits": 8, "uar": 0.5, "torch_uar": 0.6}, "expected 0.590 or more; found 0.500"),
    ):
        with pytest.raises(FinserError, match=line):
            check_agreement(good.model_copy(update=change))


def test_features_alone(place):
    made, whole = (bundles.read(place / "onnx" / name) for name in ("features", "one"))
    assert made.onnx.waveform_difference is None and made.onnx.features_difference == whole.onnx.features_difference
    assert not (place / "onnx/features/model.onnx").exists() and "model.onnx" not in (place / "onnx/features/README.md").read_text()
    assert (place / "onnx/features/features.onnx").read_bytes() == (place / "onnx/one/features.onnx").read_bytes()


@pytest.mark.parametrize(
    ("kind", "bands", "center"),
    [
        ("small_cnn", 32, "cmn"),
        ("small_cnn", 64, "clip"),
        ("small_cnn", 128, "cmn"),
        ("shallow_cnn", 64, "clip"),
        ("resnet18", 64, "clip"),
    ],
)
def test_every_network_and_option_of_its_front_end(place, tmp_path, kind, bands, center):
    """On random weights and means, which no training has made alike."""
    options = KINDS[kind](
        log_mel={"bands": bands, "center": center, "trim_db": 0 if bands == 32 else 20, "range_db": 40 if bands == 128 else 0}
    )
    classifier = begin(options, ("test",), 3)
    classifier.net.mean.copy_(torch.randn(bands)), classifier.net.scale.copy_(torch.rand(bands) + 1)
    made = saved(place, tmp_path, classifier)
    found = export(tmp_path, made, [row(audio) for audio in sounds().values()], np.arange(len(sounds())) % 3)
    assert found.features_difference < 1e-5 and found.waveform_difference < 2e-4 and found.clips == len(sounds())
    assert found.uar == found.torch_uar and found.inputs == ("mel", "rms")


def test_a_graph_that_protobuf_cannot_hold_is_one_line(monkeypatch):
    monkeypatch.setattr("finser.tools.onnx.builder.LARGEST", 1000)
    graph = Builder()
    total = graph.ReduceSum(graph.Mul("x", np.zeros(300)), keepdims=0)
    with pytest.raises(FinserError, match="too large for one ONNX graph"):
        graph.model({"x": [300]}, total, "out", 1, {})


def test_an_ast_on_clips_that_are_shorter_and_longer_than_its_frames(place, tmp_path):
    options = KINDS["ast"](model_size="nano", frames=64)
    classifier = begin(options, ("test",), 3)
    classifier.net.mean.fill_(-4.2), classifier.net.scale.fill_(4.5)
    made = saved(place, tmp_path, classifier)
    found = export(tmp_path, made, [row(audio) for audio in sounds().values()], np.arange(len(sounds())) % 3)
    assert found.features_difference < 1e-5 and found.waveform_difference is None and found.inputs == ("filter_banks",)


@pytest.mark.parametrize("classes", [(0, 1, 2, 3), (0, 2), (1, 2, 3)])
def test_an_svm_of_all_or_some_of_the_classes(place, tmp_path, classes):
    """Against NumPy's prediction, which other tests compare with scikit-learn."""
    rng, clips = np.random.default_rng(1), sounds()
    targets = np.repeat(classes, 6)
    inputs = list((rng.standard_normal((len(targets), 211)) + targets[:, None]).astype(np.float32))
    classifier = begin(KINDS["svm"](), ("test",), 4)
    names = [str(number) for number in range(len(targets))]
    part = Examples("train", names, names, ["original"] * len(names), targets, inputs, tuple("abcd"))
    classifier.solve(part, part.at([]))
    made = saved(place, tmp_path, classifier, "abcd")
    found = export(tmp_path, made, [row(audio) for audio in clips.values()], np.arange(len(clips)) % 4)
    assert found.features_difference < 1e-4 and found.inputs == ("statistics",)
    graph = OnnxEngine(tmp_path)
    for values in inputs:
        wanted = rescale(classifier.probabilities([values]), made.temperature)[0]
        np.testing.assert_allclose(graph.session.run(None, {"statistics": values})[0], wanted, atol=1e-4)


def test_a_waveform_beyond_full_scale_is_scaled_down():
    wave = np.array([0.1, -1.7, 1.4, 0.0, 0.3], np.float32)
    graph = Builder()
    model = graph.model({"waveform": ["samples"]}, front_end.rounded(graph, "waveform"), "out", 5, {})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for factor in (1, 0.5, -1, 0):
        found = session.run(None, {"waveform": np.float32(factor) * wave})[0]
        np.testing.assert_allclose(found, to_float(to_int16(np.float32(factor) * wave)[0]), atol=1.01 / 32768)


@pytest.mark.parametrize("name", sounds())
@pytest.mark.parametrize(("kind", "given"), [("svm", "statistics"), ("mlp", "statistics"), ("ast", "filter_banks")])
def test_kinds_whose_front_end_is_no_part_of_a_graph(place, kind, given, name):
    folder = place / "onnx" / kind
    made = bundles.read(folder)
    assert made.onnx.inputs == (given,) and made.onnx.waveform_difference is None and made.onnx.features_difference < 1e-4
    assert any("model.onnx is not written" in line for line in said(made, folder, "all")) and not (folder / "model.onnx").exists()
    assert f"- `{given}`, shape (" in (folder / "README.md").read_text()
    found, wanted = (LocalPredictor(folder, engine=engine).predict(sounds()[name], SR) for engine in ("onnx", "torch"))
    assert found.probabilities == pytest.approx(wanted.probabilities, abs=1e-4)


@pytest.mark.parametrize("kind", ["fin_ensemble", "encoder_probe", "encoder", "encoder_tuned"])
def test_other_kinds_are_refused_and_nothing_is_written(place, kept, monkeypatch, tmp_path, kind):
    monkeypatch.chdir(place)
    with pytest.raises(FinserError) as error:
        bundle(kept, kind, tmp_path / "made", onnx="all")
    said = str(error.value)
    assert said.startswith("no ONNX for this kind of classifier; expected svm on statistics, mlp") and "\n" not in said
    assert f"found members/{kind}: {kind}; leave out --onnx" in said and not list(tmp_path.iterdir())


def test_engines(place, tmp_path, monkeypatch):
    assert isinstance(LocalPredictor(place / "onnx/one").engine, OnnxEngine)
    assert isinstance(LocalPredictor(place / "onnx/one", engine="torch").engine, TorchEngine)
    assert isinstance(LocalPredictor(place / "bundles/svm").engine, TorchEngine)
    with pytest.raises(FinserError, match="the bundle has no ONNX graph; write it with: finser bundle MODEL DEST --onnx"):
        LocalPredictor(place / "bundles/svm", engine="onnx")
    with pytest.raises(FinserError, match="no such engine; expected auto, torch or onnx; found jax"):
        LocalPredictor(place / "onnx/one", engine="jax")
    shutil.copytree(place / "onnx/one", tmp_path / "broken")
    (tmp_path / "broken/features.onnx").write_bytes(b"no graph")
    with pytest.raises(FinserError, match="features.onnx: not a readable graph"):
        LocalPredictor(tmp_path / "broken")
    (tmp_path / "broken/features.onnx").unlink()
    with pytest.raises(FinserError, match="features.onnx: a file of the bundle is missing; copy the bundle again"):
        LocalPredictor(tmp_path / "broken")


@pytest.mark.parametrize("kind", ["one", "mlp", "ast", "svm"])
def test_prediction_imports_no_slow_library(place, tmp_path, kind):
    """Some take seconds to start."""
    soundfile.write(tmp_path / "a.wav", sounds()["a minute"][: 3 * SR], SR)
    code = (
        "import sys; from finser.cli import main; sys.argv = ['finser', 'predict', '--bundle', sys.argv[1], sys.argv[2]]\n"
        "try: main()\n"
        f"except SystemExit as end: print(end.code, set({SLOW.split()}) & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(place / "onnx" / kind), str(tmp_path / "a.wav")]
    home = tmp_path / "home"
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    assert not home.exists(), "onnxruntime writes an identifier of the machine there if it reports to its maker"
    assert done.stdout.splitlines()[-1] == "0 set()", done
