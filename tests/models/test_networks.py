"""Every kind of network behind the interface of all classifiers: its size, what a prediction depends on, saving, whom it learns from."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from finser import layout
from finser.classifiers.classification import Classification
from finser.config.params import Params
from finser.config.sections.classifiers import KINDS, FinEnsemble, SmallCnn
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.evaluation.evaluate_classifier import ORIGINALS
from finser.features.examples import Examples, read_examples
from finser.files import write_json
from finser.models import Classifier, begin, load, module_of
from finser.models.encoder_inputs import ENCODER
from finser.models.network import n_trainable, put_weights
from finser.models.resnet18 import Resnet18Net
from finser.models.shallow_cnn import ShallowCnnNet
from finser.models.small_cnn import SmallCnnNet
from finser.splits.table import read_parts
from finser.training import loop
from finser.training.batches import Batches
from finser.training.record import TrainingRecord

SPECTROGRAM_NETS = {"shallow_cnn": ShallowCnnNet, "small_cnn": SmallCnnNet, "resnet18": Resnet18Net}


def conv(a: int, b: int, size: int) -> int:
    """Weights of a convolution without bias, and of the batch norm after it."""
    return a * b * size**2 + 2 * b


def dense(a: int, b: int) -> int:
    return a * b + b


def residual(a: int, b: int) -> int:
    """A stage of ResNet-18: two blocks of two convolutions, with a projection where the width changes."""
    return conv(a, b, 3) + 3 * conv(b, b, 3) + (conv(a, b, 1) if a != b else 0)


CONVOLUTIONS = {
    SmallCnnNet: conv(1, 24, 5) + conv(24, 48, 3) + conv(48, 64, 3) + conv(64, 96, 3),
    ShallowCnnNet: conv(1, 32, 5) + conv(32, 64, 3),
    Resnet18Net: conv(1, 64, 7) + residual(64, 64) + residual(64, 128) + residual(128, 256) + residual(256, 512),
}
REST = {
    SmallCnnNet: dense(96 * 64 // 16, 128) + dense(128, 64) + dense(64, 1) + dense(2 * 128, 8),
    ShallowCnnNet: dense(64 * 64 // 8, 64) + dense(2 * 64, 8),
    Resnet18Net: dense(512, 8),
}


@pytest.mark.parametrize(("net", "size"), [(SmallCnnNet, 154_033), (ShallowCnnNet, 53_288), (Resnet18Net, 11_174_344)])
def test_sizes_are_those_that_are_documented(net, size):
    assert n_trainable(net(8).parameters()) == size == CONVOLUTIONS[net] + REST[net]
    assert f"{size:,} weights" in net.__doc__


ATTENTION = {
    SmallCnnNet: dense(128, 64) + dense(64, 1),
    ShallowCnnNet: dense(64, 64) + dense(64, 1),
    Resnet18Net: dense(512, 64) + dense(64, 1),
}


@pytest.mark.parametrize(
    ("net", "pooling", "added"),
    [
        (ShallowCnnNet, "attention", ATTENTION[ShallowCnnNet]),
        (SmallCnnNet, "statistics", -ATTENTION[SmallCnnNet]),
        (Resnet18Net, "statistics", 512 * 8),
        (Resnet18Net, "attention", 512 * 8 + ATTENTION[Resnet18Net]),
    ],
)
def test_pooling_is_chosen(net, pooling, added):
    """Of what it costs in weights, and that a section's choice reaches the net."""
    chosen = net(8, pooling=pooling)
    assert n_trainable(chosen.parameters()) == CONVOLUTIONS[net] + REST[net] + added
    kind = next(name for name, one in SPECTROGRAM_NETS.items() if one is net)
    begun = begin(KINDS[kind](pooling=pooling), (0,), 8)
    assert begun.n_params == n_trainable(chosen.parameters())


@pytest.mark.parametrize("bands", [32, 64, 128])
@pytest.mark.parametrize("name", SPECTROGRAM_NETS)
def test_any_number_of_bands_and_frames_will_do(name, bands):
    net = SPECTROGRAM_NETS[name](8, bands, 6).eval()
    for length, counts in ((16, [1, 16]), (17, [17, 3]), (96, [50, 96])):
        assert net(torch.randn(2, length, bands), torch.tensor(counts)).shape == (2, 8)


@pytest.mark.parametrize("pooling", ["attention", "statistics"])
@pytest.mark.parametrize("recurrent", [0, 5])
def test_steps_after_a_clips_end_count_for_nothing(recurrent, pooling):
    """What a convolution sees of the padding reaches two steps; beyond that nothing does."""
    torch.manual_seed(0)
    net = SmallCnnNet(8, 64, 6, recurrent, pooling).eval()
    clip = torch.randn(1, 64, 64)
    short, long = (torch.nn.functional.pad(clip, (0, 0, 0, n)) for n in (32, 128))
    assert torch.allclose(net(short, torch.tensor([64])), net(long, torch.tensor([64])), atol=1e-5)
    long[:, 100:] = 50
    assert torch.allclose(net(short, torch.tensor([64])), net(long, torch.tensor([64])), atol=1e-5)


def fit(classifier: Classifier, train: Examples, validation: Examples, names: tuple) -> TrainingRecord:
    """As the step `train_classifier` trains."""
    if not classifier.options.by_gradient:
        return classifier.solve(train, validation)
    return loop.fit(Classification(classifier, train, validation, names))


def examples_of(params: Params, model: str) -> dict[str, Examples]:
    parts = read_parts("speaker", 1, ["ravdess"])
    options = params.classifiers[model]
    return read_examples(module_of(options).reader(options), parts, dict.fromkeys(parts, ORIGINALS), params.emotions)


def longer(clip: object, times: int) -> object:
    """A clip again and again; statistics of a clip, or of an encoder's layers (float16), have no length."""
    if clip.__class__ is np.ndarray and clip.dtype == np.float16:
        return clip
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


@pytest.fixture
def encoder(tmp_path) -> Path:
    """A folder that describes an encoder, as models/initial/NAME of a classifier on one."""
    write_json(tmp_path / ENCODER, {"family": "byol_s", "preprocessor": {}, "origin": {}})
    return tmp_path


@pytest.mark.parametrize("model", [*KINDS, "librosa", "tuned", "uninitialised"])
@pytest.mark.parametrize("part", ["validation", "test"])
def test_no_model_learns_or_is_normalised_from_another_part_than_train(project, params, altered, encoder, model, part):
    if model not in KINDS:
        fins = () if model == "librosa" else ("rms", "mel")
        params, model = altered("fin_ensemble", arm=model, fins=fins), "fin_ensemble"
    examples = examples_of(params, model)
    classifier = begin(params.classifiers[model], (0,), 8, encoder)
    with pytest.raises(FinserError, match=f"^statistics and weights come from the training part only; expected train; found {part}$"):
        fit(classifier, examples[part], examples["validation"], (0,))


@pytest.mark.parametrize("model", [model for model in KINDS if KINDS[model].by_gradient])
def test_the_first_weights_depend_on_names_and_on_nothing_drawn_before(params, encoder, model):
    def weights(names: tuple) -> list[torch.Tensor]:
        classifier = begin(params.classifiers[model], names, 8, encoder)
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
    variants = params.classifiers["small_cnn"].variants
    parts = {"train": read_parts("speaker", 1, ["ravdess"])["train"]}
    options = params.classifiers["small_cnn"]
    augmented = read_examples(module_of(options).reader(options), parts, {"train": variants}, params.emotions)["train"]
    frames = np.concatenate(augmented.inputs).astype(np.float64)
    net = load(layout.classifier("small_cnn", "speaker", 1, 0))[0].net
    assert net.mean.numpy() == pytest.approx(frames.mean(0), abs=1e-3) and net.scale.numpy() == pytest.approx(frames.std(0), rel=1e-4)
    assert len(frames) > sum(map(len, train.inputs)), "augmented variants train, too"


TAUGHT = {
    "shallow_cnn": KINDS["shallow_cnn"](width=4, init="models/pretrained/taught"),
    "small_cnn": SmallCnn(width=3, recurrent=4, init="models/pretrained/taught"),
    "resnet18": KINDS["resnet18"](width=8, init="models/pretrained/taught"),
    "ast": KINDS["ast"](model_size="nano", init="models/pretrained/taught"),
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
    trunk = {key: value for key, value in begin(options, ("teacher",), 8).net.state_dict().items() if key.startswith(TRUNKS[model])}
    save_file(trunk, path)
    classifier = begin(options, (0,), 8)
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
    net = begin(options, ("teacher",), 8).net
    trunk = {key: value for key, value in net.state_dict().items() if key.startswith(TRUNKS[model])}
    for name in sorted(trunk)[:: max(len(trunk) // 8, 1)]:
        save_file({key: value for key, value in trunk.items() if key != name}, path)
        with pytest.raises(FinserError, match=f"^{path}: weights of another topology: lacks {name}; run: dvc repro$"):
            begin(options, (0,), 8).receive(tmp_path)
    save_file({**trunk, "out.weight": net.out.weight}, path)
    with pytest.raises(FinserError, match="weights of another topology: has out.weight"):
        begin(options, (0,), 8).receive(tmp_path)
    path.unlink()
    with pytest.raises(FinserError, match=f"^{path}: no such file; run: dvc repro$"):
        begin(options, (0,), 8).receive(tmp_path)
    scratch = begin(options.model_copy(update={"init": None}), (0,), 8)
    before = [tensor.clone() for tensor in scratch.net.state_dict().values()]
    scratch.receive(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(before, scratch.net.state_dict().values(), strict=True))


@pytest.mark.parametrize("arm", ["frozen", "tuned"])
def test_fins_that_an_arm_asks_for_must_be_there(tmp_path, arm):
    with pytest.raises(FinserError, match=f"^{tmp_path}/fins/rms/config.json: no such file"):
        begin(FinEnsemble(arm=arm), (0,), 8).receive(tmp_path)
    begin(FinEnsemble(arm="uninitialised"), (0,), 8).receive(tmp_path)
    begin(FinEnsemble(arm="librosa", fins=()), (0,), 8).receive(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    net = SmallCnnNet(8, width=6)
    path = tmp_path / "model.safetensors"
    with pytest.raises(FinserError, match=f"{path}: no such file"):
        put_weights(net, path)
    save_file(SmallCnnNet(8, width=9).state_dict(), path)
    with pytest.raises(FinserError, match=f"{path}: weights of another topology"):
        put_weights(net, path)
    save_file({**net.state_dict(), "more": torch.zeros(1)}, path)
    with pytest.raises(FinserError, match="weights of another topology: has more"):
        put_weights(net, path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FinserError, match="not a readable model"):
        put_weights(net, path)


# What the options of a section do

TINY = {
    "mlp": {"hidden": (8,)},
    "shallow_cnn": {"width": 4, "log_mel.crop_frames": 32},
    "small_cnn": {"width": 3, "log_mel.crop_frames": 32},
    "resnet18": {"width": 8, "log_mel.crop_frames": 32},
    "ast": {"model_size": "nano", "frequency_stride": 16, "time_stride": 16, "frames": 32},
    "fin_ensemble librosa": {"arm": "librosa", "fins": (), "channels": 8, "crop_frames": 32},
    "fin_ensemble uninitialised": {"arm": "uninitialised", "fins": ("rms",), "channels": 8, "crop_frames": 32},
}
UNEQUAL = np.array([0] * 10 + [3] * 4 + [7] * 2)  # class numbers: two batches of 8
MASKS = ("band_masks", "band_width", "time_masks", "time_width")
DRAWN = {
    "augment.speed_fraction": 0.0,
    "augment.speed": (0.5, 0.6),
    "augment.noise_fraction": 0.0,
    "augment.noise_db": (0.0, 5.0),
    **{f"{section}.{name}": 0 for section in ("augment", "masks") for name in MASKS},
    "band_masks": 2,
    "time_masks": 2,
    "log_mel.crop_frames": 48,
    "crop_frames": 48,
    "balance": "sampling",
}
TRAINED = {
    "dropout": 0.0,
    "weight_decay": 0.0,
    "learning_rate": 0.01,
    "label_smoothing": 0.0,
    "mixup": 1.0,
    "balance": "weights",
    "batch_size": 16,
    "epochs": 2,
    "precision": "bf16",
}


def tiny(name: str, **options: object) -> Classifier:
    """A small network of a kind, trained for one epoch; keys of a subsection have a dot."""
    kind, nested = KINDS[name.split()[0]], {}
    for key, value in {"epochs": 1, "batch_size": 8, "mixup": 0.0, **TINY[name], **options}.items():
        *section, last = key.split(".")
        (nested.setdefault(section[0], {}) if section else nested)[last] = value
    return begin(kind(**nested), (0, "options"), 8)


def has(name: str, option: str) -> bool:
    """Whether a kind of network has an option."""
    fields = KINDS[name.split()[0]].model_fields
    first, *rest = option.split(".")
    return first in fields and all(key in type(fields[first].default).model_fields for key in rest)


def input_of(name: str, rng: np.random.Generator, n_frames: int) -> object:
    """What the source of a kind of network could make of a clip."""
    if name == "mlp":
        return rng.normal(size=200).astype(np.float32)
    if name.startswith("fin_ensemble"):
        of_fins = "librosa" not in name
        features = rng.normal(size=(n_frames, 162)).astype(np.float32)
        features[:, :1] *= not of_fins  # the RMS, which is a FIN's there
        return rng.integers(-9999, 9999, of_fins * (512 * (n_frames - 1) + 2048)).astype(np.int16), features
    return rng.normal(-30, 9, (n_frames, 128 if name == "ast" else 64)).astype(np.float32)


def drawn_examples(name: str, part: str, targets: np.ndarray = UNEQUAL) -> Examples:
    rng, n = np.random.default_rng(len(part)), len(targets)
    inputs = [input_of(name, rng, 40 + number) for number in range(n)]
    return Examples(part, [""] * n, [""] * n, ["original"] * n, targets, inputs, EMOTIONS)


def task_of(name: str, **options: object) -> Classification:
    return Classification(tiny(name, **options), drawn_examples(name, "train"), drawn_examples(name, "validation"), (0, "options"))


def asked_of(name: str, **options: object) -> tuple[Batches, Batches]:
    """The mini-batches of both parts."""
    task = task_of(name, **options)
    return task.train, task.validation


def equal(one: list, other: list) -> bool:
    """Whether tensors are the same, of the same shapes."""
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("name", "option"), [(name, option) for name in TINY for option in DRAWN if has(name, option)])
def test_an_option_of_what_is_drawn_changes_the_batches_of_training_and_none_of_validation(name, option):
    plain, other = asked_of(name), asked_of(name, **{option: DRAWN[option]})
    trained, judged = ([[x for batch in part.of_epoch(1) for x in batch] for part in pair] for pair in zip(plain, other, strict=True))
    assert not equal(*trained)
    assert equal(*judged)


@pytest.mark.parametrize("balance", ["none", "weights", "sampling"])
def test_only_sampling_draws_classes_equally_often(balance):
    train, validation = asked_of("mlp", balance=balance)
    found = Counter(int(target) for number in range(200) for *_, targets in train.of_epoch(number) for target in targets)
    shares = [1 / 3] * 3 if balance == "sampling" else [10 / 16, 4 / 16, 2 / 16]
    assert [found[number] / 3200 for number in (0, 3, 7)] == pytest.approx(shares, abs=0.03 if balance == "sampling" else 1e-9)
    assert sorted(int(target) for *_, targets in validation.of_epoch() for target in targets) == UNEQUAL.tolist()


def weights_of(name: str, **options: object) -> list[torch.Tensor]:
    """All weights after a training of two batches per epoch."""
    task = task_of(name, **options)
    loop.fit(task)
    return [tensor.cpu() for tensor in task.net.state_dict().values()]


@pytest.fixture(scope="module", params=TINY)
def plain(request: pytest.FixtureRequest) -> tuple[str, list[torch.Tensor]]:
    """A kind of network, and its weights after a training with nothing changed."""
    return request.param, weights_of(request.param)


@pytest.mark.parametrize("option", TRAINED)
def test_an_option_of_training_changes_the_weights(plain, option):
    name, before = plain
    assert not equal(weights_of(name, **{option: TRAINED[option]}), before)


@pytest.mark.parametrize("name", TINY)
def test_bfloat16_is_for_the_forward_pass_alone(name):
    """Weights, and what is computed outside of the training, stay in float32, and both precisions learn nearly the same in one step."""
    plain, half = task_of(name), task_of(name, precision="bf16")
    losses = [loop.fit(task).history[0] for task in (plain, half)]
    assert {weight.dtype for weight in half.net.parameters()} == {torch.float32}
    assert losses[0]["train_loss"] == pytest.approx(losses[1]["train_loss"], rel=0.1) and losses[0] != losses[1]
    with torch.no_grad(), loop.autocast(half):
        logits, classes = half._validation_logits()
    assert losses[1]["validation_loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(logits, classes)), rel=1e-6)
    with torch.no_grad():
        exact, _ = half._validation_logits()
    assert not torch.equal(exact, logits) and logits.numpy() == pytest.approx(exact.numpy(), abs=0.1)


@pytest.mark.parametrize("name", TINY)
def test_the_optimiser_is_given_the_rates_and_the_decay_that_the_section_says(name):
    """All that learns, once; FINs at a rate of their own and without decay."""
    rates = {"learning_rate": 0.003, "weight_decay": 0.07, **({"fin_learning_rate": 0.0005} if "fin" in name else {})}
    task = task_of(name, **rates)
    classifier, (optimizer, _) = task.classifier, task.optimisation()
    found = {id(p): (group["max_lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]}
    below = list(classifier.fins.parameters()) if "uninitialised" in name else []
    above = classifier.head.parameters() if "fin" in name else classifier.net.parameters()
    assert found == {id(p): (0.003, 0.07) for p in above} | {id(p): (0.0005, 0.0) for p in below}
    assert bool(below) == ("uninitialised" in name)
