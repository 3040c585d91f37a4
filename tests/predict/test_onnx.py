"""ONNX graphs of bundles: against torch on clips of the corpus, on silence, on short and loud clips, and on made-up networks."""

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
from finser.features.labels import features
from finser.features.rows import Row
from finser.models import begin
from finser.predict import bundle as bundles
from finser.predict.engines import OnnxEngine, TorchEngine
from finser.predict.predictor import LocalPredictor
from finser.tools.bundling import bundle
from finser.tools.onnx import front_end
from finser.tools.onnx.builder import Builder
from finser.tools.onnx.export import export


@pytest.fixture(scope="module")
def place(project_of_bundles, kept) -> Path:
    """The project; onnx/ has bundles of small_cnn with graphs: of all speakers, and of folds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project_of_bundles)
        patch.setenv("FINSER_CORES", "1")
        bundle(kept, "small_cnn", Path("onnx/one"), onnx="all")
        bundle(kept, "shallow_cnn", Path("onnx/folds"), folds=True, onnx="all")
        bundle(kept, "small_cnn", Path("onnx/features"), onnx="features")
    return project_of_bundles


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
    made = bundle(kept, "small_cnn", tmp_path / "made", onnx="all", int8=True)
    assert made.onnx.bits == 8 and made.onnx.same_class > 0.9 and 1e-6 < made.onnx.features_difference < 0.3
    for name in ("features.onnx", "model.onnx"):
        assert (tmp_path / "made" / name).stat().st_size < (place / "onnx/one" / name).stat().st_size
    kinds = {node.op_type for node in onnx.load(tmp_path / "made/features.onnx").graph.node}
    assert "ConvInteger" in kinds and "Conv" not in kinds
    assert "8 bits" in (tmp_path / "made/README.md").read_text() and bundles.read(place / "onnx/one").onnx.same_class == 1


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
    made = bundles.read(place / "onnx/one").model_copy(update={"classes": ("a", "b", "c"), "temperature": 1.3})
    folder = tmp_path / made.members[0].folder
    folder.mkdir(parents=True)
    classifier.save(folder)
    (folder / "config.json").write_text(f'{{"classes": ["a", "b", "c"], "options": {options.model_dump_json()}}}')
    found = export(tmp_path, made, [row(audio) for audio in sounds().values()])
    assert found.features_difference < 1e-5 and found.waveform_difference < 2e-4 and found.clips == len(sounds())


def test_a_waveform_beyond_full_scale_is_scaled_down():
    wave = np.array([0.1, -1.7, 1.4, 0.0, 0.3], np.float32)
    graph = Builder()
    model = graph.model({"waveform": ["samples"]}, front_end.rounded(graph, "waveform"), "out", 5, {})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for factor in (1, 0.5, -1, 0):
        found = session.run(None, {"waveform": np.float32(factor) * wave})[0]
        np.testing.assert_allclose(found, to_float(to_int16(np.float32(factor) * wave)[0]), atol=1.01 / 32768)


@pytest.mark.parametrize("model", ["svm", "fin_ensemble"])
def test_other_kinds_are_refused_and_nothing_is_written(place, kept, model, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    with pytest.raises(FinserError, match="no ONNX for this kind of classifier"):
        bundle(kept, model, tmp_path / "made", onnx="all")
    assert not list(tmp_path.iterdir())


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
    with pytest.raises(FinserError, match="features.onnx: no such file"):
        LocalPredictor(tmp_path / "broken")


def test_prediction_imports_neither_torch_nor_librosa(place, tmp_path):
    """Both take seconds to start."""
    soundfile.write(tmp_path / "a.wav", sounds()["a minute"][: 3 * SR], SR)
    code = (
        "import sys; from finser.cli import main; sys.argv = ['finser', 'predict', '--bundle', sys.argv[1], sys.argv[2]]\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, {'torch', 'librosa', 'sklearn', 'huggingface_hub'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(place / "onnx/one"), str(tmp_path / "a.wav")]
    home = tmp_path / "home"
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    assert not home.exists(), "onnxruntime writes an identifier of the machine there if it reports to its maker"
    assert done.stdout.splitlines()[-1] == "0 set()", done
