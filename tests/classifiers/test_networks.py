"""Every kind of network behind the interface of all classifiers: its size, what a prediction depends on, saving, whom it learns from."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from finser import layout
from finser.classifiers import begin, load, module_of
from finser.classifiers.evaluation import ORIGINALS
from finser.classifiers.inputs import Examples, read_examples
from finser.classifiers.learning import n_trainable
from finser.classifiers.network import put_weights
from finser.classifiers.resnet18 import Resnet18
from finser.classifiers.shallow_cnn import ShallowCnn
from finser.classifiers.small_cnn import SmallCnn
from finser.errors import FinserError
from finser.params import KINDS, FinEnsemble, Params
from finser.params import SmallCnn as SmallCnnOptions
from finser.splits import read_parts

SPECTROGRAM_NETS = {"shallow_cnn": ShallowCnn, "small_cnn": SmallCnn, "resnet18": Resnet18}


def conv(a: int, b: int, size: int) -> int:
    """Weights of a convolution without bias, and of the batch norm after it."""
    return a * b * size**2 + 2 * b


def dense(a: int, b: int) -> int:
    return a * b + b


def residual(a: int, b: int) -> int:
    """A stage of ResNet-18: two blocks of two convolutions, with a projection where the width changes."""
    return conv(a, b, 3) + 3 * conv(b, b, 3) + (conv(a, b, 1) if a != b else 0)


CONVOLUTIONS = {
    SmallCnn: conv(1, 24, 5) + conv(24, 48, 3) + conv(48, 64, 3) + conv(64, 96, 3),
    ShallowCnn: conv(1, 32, 5) + conv(32, 64, 3),
    Resnet18: conv(1, 64, 7) + residual(64, 64) + residual(64, 128) + residual(128, 256) + residual(256, 512),
}
REST = {
    SmallCnn: dense(96 * 64 // 16, 128) + dense(128, 64) + dense(64, 1) + dense(2 * 128, 8),
    ShallowCnn: dense(64 * 64 // 8, 64) + dense(2 * 64, 8),
    Resnet18: dense(512, 8),
}


@pytest.mark.parametrize(("net", "size"), [(SmallCnn, 154_033), (ShallowCnn, 53_288), (Resnet18, 11_174_344)])
def test_sizes_are_those_that_are_documented(net, size):
    assert n_trainable(net().parameters()) == size == CONVOLUTIONS[net] + REST[net]
    assert f"{size:,} weights" in net.__doc__


ATTENTION = {SmallCnn: dense(128, 64) + dense(64, 1), ShallowCnn: dense(64, 64) + dense(64, 1), Resnet18: dense(512, 64) + dense(64, 1)}


@pytest.mark.parametrize(
    ("net", "pooling", "added"),
    [
        (ShallowCnn, "attention", ATTENTION[ShallowCnn]),
        (SmallCnn, "statistics", -ATTENTION[SmallCnn]),
        (Resnet18, "statistics", 512 * 8),
        (Resnet18, "attention", 512 * 8 + ATTENTION[Resnet18]),
    ],
)
def test_pooling_is_chosen(net, pooling, added):
    """Of what it costs in weights, and that a section's choice reaches the net."""
    chosen = net(pooling=pooling)
    assert n_trainable(chosen.parameters()) == CONVOLUTIONS[net] + REST[net] + added
    kind = next(name for name, one in SPECTROGRAM_NETS.items() if one is net)
    begun = begin(KINDS[kind](pooling=pooling), (0,))
    assert begun.n_params == n_trainable(chosen.parameters())


@pytest.mark.parametrize("bands", [32, 64, 128])
@pytest.mark.parametrize("name", SPECTROGRAM_NETS)
def test_any_number_of_bands_and_frames_will_do(name, bands):
    net = SPECTROGRAM_NETS[name](bands, 6).eval()
    for length, counts in ((16, [1, 16]), (17, [17, 3]), (96, [50, 96])):
        assert net(torch.randn(2, length, bands), torch.tensor(counts)).shape == (2, 8)


@pytest.mark.parametrize("pooling", ["attention", "statistics"])
@pytest.mark.parametrize("recurrent", [0, 5])
def test_steps_after_a_clips_end_count_for_nothing(recurrent, pooling):
    """What a convolution sees of the padding reaches two steps; beyond that nothing does."""
    torch.manual_seed(0)
    net = SmallCnn(64, 6, recurrent, pooling).eval()
    clip = torch.randn(1, 64, 64)
    short, long = (torch.nn.functional.pad(clip, (0, 0, 0, n)) for n in (32, 128))
    assert torch.allclose(net(short, torch.tensor([64])), net(long, torch.tensor([64])), atol=1e-5)
    long[:, 100:] = 50
    assert torch.allclose(net(short, torch.tensor([64])), net(long, torch.tensor([64])), atol=1e-5)


def examples_of(params: Params, model: str) -> dict[str, Examples]:
    parts = read_parts("speaker", 1, ["ravdess"])
    return read_examples(
        module_of(params.train_classifier[model]).source(params.train_classifier[model]), parts, dict.fromkeys(parts, ORIGINALS)
    )


def longer(clip: object, times: int) -> object:
    """A clip again and again; statistics of a clip have no length."""
    if isinstance(clip, tuple):
        return tuple(longer(part, times) for part in clip)
    return np.tile(clip, (times, 1)) if clip.ndim == 2 else np.tile(clip, times) if clip.dtype == np.int16 else clip


@pytest.mark.parametrize("model", KINDS)
def test_a_clips_probabilities_do_not_depend_on_what_else_is_predicted(finished, params, model):
    classifier, config = load(layout.classifier(model, "speaker", 1, 0))
    inputs = examples_of(params, model)["test"].inputs
    inputs = [longer(clip, 1 + number % 4) for number, clip in enumerate(inputs)]  # of one length they would all share a batch
    together = classifier.probabilities(inputs)
    assert together.shape == (len(inputs), 8) and together.dtype == np.float64
    assert together.sum(1) == pytest.approx(1) and config["params"] == classifier.n_params
    alone = np.concatenate([classifier.probabilities([clip]) for clip in inputs[:6]])
    assert together[:6] == pytest.approx(alone, abs=1e-5)
    order = np.random.default_rng(0).permutation(len(inputs))
    assert classifier.probabilities([inputs[number] for number in order]) == pytest.approx(together[order], abs=1e-5)


@pytest.mark.parametrize("model", [*KINDS, "librosa", "tuned", "uninitialised"])
@pytest.mark.parametrize("part", ["validation", "test"])
def test_no_model_learns_or_is_normalised_from_another_part_than_train(project, params, altered, model, part):
    if model not in KINDS:
        fins = () if model == "librosa" else ("rms", "mel")
        params, model = altered("fin_ensemble", arm=model, fins=fins), "fin_ensemble"
    examples = examples_of(params, model)
    classifier = begin(params.train_classifier[model], (0,))
    with pytest.raises(FinserError, match=f"^statistics and weights come from the training part only; expected train; found {part}$"):
        classifier.fit(examples[part], examples["validation"], (0,))


@pytest.mark.parametrize("model", [model for model in KINDS if model != "svm"])
def test_the_first_weights_depend_on_names_and_on_nothing_drawn_before(params, model):
    def weights(names: tuple) -> list[torch.Tensor]:
        classifier = begin(params.train_classifier[model], names)
        return list((classifier.head if model == "fin_ensemble" else classifier.net).parameters())

    one = weights((0, "a"))
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    same, other = weights((0, "a")), weights((1, "a"))
    assert torch.equal(torch.random.get_rng_state(), before), "nor does beginning a model move other draws"
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_normalisation_is_of_the_training_clips(finished, params):
    train = examples_of(params, "small_cnn")["train"]
    variants = params.train_classifier["small_cnn"].variants
    parts = {"train": read_parts("speaker", 1, ["ravdess"])["train"]}
    options = params.train_classifier["small_cnn"]
    frames = np.concatenate(read_examples(module_of(options).source(options), parts, {"train": variants})["train"].inputs).astype(
        np.float64
    )
    net = load(layout.classifier("small_cnn", "speaker", 1, 0))[0].net
    assert net.mean.numpy() == pytest.approx(frames.mean(0), abs=1e-3) and net.scale.numpy() == pytest.approx(frames.std(0), rel=1e-4)
    assert len(frames) > sum(map(len, train.inputs)), "augmented variants train, too"


TAUGHT = {
    "shallow_cnn": KINDS["shallow_cnn"](width=4, init="imitation", trunk="taught"),
    "small_cnn": SmallCnnOptions(width=3, recurrent=4, init="imitation", trunk="taught"),
    "resnet18": KINDS["resnet18"](width=8, init="imitation", trunk="taught"),
    "ast": KINDS["ast"](size="nano", init="imitation", trunk="taught"),
}
TRUNKS = {
    "shallow_cnn": ("convolutions.", "norms.", "dense."),
    "small_cnn": ("convolutions.", "norms.", "dense."),
    "resnet18": ("resnet.",),
    "ast": ("encoder.",),
}


@pytest.mark.parametrize("model", TAUGHT)
def test_a_trunk_that_is_given_is_what_training_begins_from(tmp_path, model):
    options, path = TAUGHT[model], tmp_path / "model.safetensors"
    trunk = {key: value for key, value in begin(options, ("teacher",)).net.state_dict().items() if key.startswith(TRUNKS[model])}
    save_file(trunk, path)
    classifier = begin(options, (0,))
    before = {key: value.clone() for key, value in classifier.net.state_dict().items()}
    classifier.receive(tmp_path)
    for name, tensor in classifier.net.state_dict().items():
        assert torch.equal(tensor, trunk.get(name, before[name]))
    assert len(trunk) < len(before)
    with pytest.raises(FinserError, match="weights of another topology: lacks "):
        put_weights(classifier.net, path)  # a whole network lacks nothing


@pytest.mark.parametrize("model", TAUGHT)
def test_a_trunk_that_lacks_a_tensor_or_is_not_there_is_refused(tmp_path, model):
    options, path = TAUGHT[model], tmp_path / "model.safetensors"
    net = begin(options, ("teacher",)).net
    trunk = {key: value for key, value in net.state_dict().items() if key.startswith(TRUNKS[model])}
    for name in sorted(trunk)[:: max(len(trunk) // 8, 1)]:
        save_file({key: value for key, value in trunk.items() if key != name}, path)
        with pytest.raises(FinserError, match=f"^{path}: weights of another topology: lacks {name}; run: dvc repro$"):
            begin(options, (0,)).receive(tmp_path)
    save_file({**trunk, "out.weight": net.out.weight}, path)
    with pytest.raises(FinserError, match="weights of another topology: has out.weight"):
        begin(options, (0,)).receive(tmp_path)
    path.unlink()
    with pytest.raises(FinserError, match=f"^{path}: no such file; run: dvc repro$"):
        begin(options, (0,)).receive(tmp_path)
    scratch = begin(options.model_copy(update={"init": "scratch", "trunk": None}), (0,))
    before = [tensor.clone() for tensor in scratch.net.state_dict().values()]
    scratch.receive(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(before, scratch.net.state_dict().values(), strict=True))


@pytest.mark.parametrize("arm", ["frozen", "tuned"])
def test_fins_that_an_arm_asks_for_must_be_there(tmp_path, arm):
    with pytest.raises(FinserError, match=f"^{tmp_path}/fins/rms/config.json: no such file"):
        begin(FinEnsemble(arm=arm), (0,)).receive(tmp_path)
    begin(FinEnsemble(arm="uninitialised"), (0,)).receive(tmp_path)
    begin(FinEnsemble(arm="librosa", fins=()), (0,)).receive(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    net = SmallCnn(width=6)
    path = tmp_path / "model.safetensors"
    with pytest.raises(FinserError, match=f"{path}: no such file"):
        put_weights(net, path)
    save_file(SmallCnn(width=9).state_dict(), path)
    with pytest.raises(FinserError, match=f"{path}: weights of another topology"):
        put_weights(net, path)
    save_file({**net.state_dict(), "more": torch.zeros(1)}, path)
    with pytest.raises(FinserError, match="weights of another topology: has more"):
        put_weights(net, path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FinserError, match="not a readable model"):
        put_weights(net, path)
