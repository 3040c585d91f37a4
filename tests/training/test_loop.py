"""The training loop against torch and scipy: loss, mixup, rate, which weights are kept, and resuming after a kill."""

import shutil
import warnings
from importlib.metadata import version
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional

from finser import machine
from finser.classifiers import classification
from finser.classifiers.classification import Classification, class_weights, mixed
from finser.config.params import Params
from finser.config.sections.classifiers import Mlp
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.features.examples import Examples, read_examples
from finser.models import begin, module_of
from finser.models.mlp import Stack
from finser.splits.table import read_parts
from finser.training import checkpoint, loop

TARGETS = np.array([0] * 20 + [1] * 9 + [5] * 3 + [7] * 8, np.int64)
INPUTS = list(np.random.default_rng(0).standard_normal((len(TARGETS), 5)).astype(np.float32))

AVAILABLE = torch.cuda.is_available()


class Net(nn.Linear):
    """A net that remembers its inputs."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(5, 8)
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach())
        return super().forward(x)


class Plain:
    """A network as a classifier: its two weights have rates of their own."""

    def __init__(self, net: nn.Module, options: Mlp) -> None:
        self.net, self.options = net, options

    def prepare(self, train: list, validation: list) -> tuple[list, list]:
        return train, validation

    def collate(self, *, training: bool) -> Stack:
        return Stack()

    def groups(self) -> list[dict]:
        weights = list(self.net.parameters())
        return [{"params": weights[:1], "lr": 0.1}, {"params": weights[1:], "lr": 0.01}]


def examples(part: str, inputs: list[np.ndarray], targets: np.ndarray) -> Examples:
    nobody = [""] * len(inputs)
    return Examples(part, nobody, nobody, ["original"] * len(inputs), targets, inputs, EMOTIONS)


def task(net: nn.Module | None = None, names: tuple = (0, "loop"), inputs: list[np.ndarray] = INPUTS, **options: object) -> Classification:
    plain = Plain(net or Net(), Mlp(**{"batch_size": 16, **options}))
    return Classification(plain, examples("train", inputs, TARGETS), examples("validation", inputs[::2], TARGETS[::2]), names)


def begun(made: Classification, epoch: int = 1) -> Classification:
    """The same, in an epoch."""
    made.batches(epoch)
    return made


def loss_of(made: Classification) -> Tensor:
    given, target = made.examples(list(BATCH))
    return made.loss(made.forward(*given), target)


BATCH = (torch.from_numpy(np.stack(INPUTS)), torch.from_numpy(TARGETS))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("balance", ["none", "weights", "sampling"])
def test_the_loss_is_torchs_with_class_numbers_label_smoothing_and_weights(smoothing, balance):
    made = begun(task(label_smoothing=smoothing, balance=balance, mixup=0.0))
    weights = class_weights(TARGETS, 8, balance)
    expected = functional.cross_entropy(made.net(BATCH[0]), BATCH[1], weights, label_smoothing=smoothing)
    assert loss_of(made).item() == pytest.approx(float(expected), rel=1e-5)  # weights have mean 1 over the examples


def test_mixup_mixes_inputs_and_targets_alike():
    rng = np.random.default_rng(0)
    targets = functional.one_hot(BATCH[1], 8).float()
    counts = torch.arange(len(targets))
    for _ in range(20):
        (same, of_mask, longer), wanted = mixed([targets, BATCH[0], counts], targets, rng)
        assert torch.equal(same, wanted) and torch.allclose(wanted.sum(1), torch.ones(len(wanted)))
        assert (wanted > 0).sum(1).max() <= 2 and (longer >= counts).all() and longer.dtype == counts.dtype
        other = _partners(longer, counts, of_mask, BATCH[0])
        assert sorted(other.tolist()) == counts.tolist() or other.min() < 0


def _partners(longer: Tensor, counts: Tensor, mixture: Tensor, inputs: Tensor) -> Tensor:
    """Where the longer one is the other: who it is; its mixture lies between the two inputs."""
    other = torch.where(longer > counts, longer, torch.full_like(longer, -1))
    for row in torch.nonzero(other >= 0).flatten().tolist():
        low, high = torch.minimum(inputs[row], inputs[other[row]]), torch.maximum(inputs[row], inputs[other[row]])
        assert ((mixture[row] >= low - 1e-6) & (mixture[row] <= high + 1e-6)).all()
    return other


def test_the_share_of_a_mixture_follows_its_beta_law_and_depends_on_the_epoch():
    rng = np.random.default_rng(0)
    ones, shares = torch.eye(2), []
    while len(shares) < 800:
        (mixture,), _ = mixed([ones], ones, rng)
        if mixture[0, 0] != 1 or mixture[0, 1] != 0:  # the two changed places: half of the draws
            shares.append(float(mixture[0, 0]))
    assert stats.kstest(shares, stats.beta(0.3, 0.3).cdf).pvalue > 1e-3
    first, same, other = (begun(task(mixup=1.0), epoch).examples(list(BATCH))[0][0] for epoch in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_so_many_batches_are_mixed(share):
    made = begun(task(mixup=share))
    for _ in range(400):
        loss_of(made)
    found = np.mean([not torch.equal(x, BATCH[0]) for x in made.net.seen])
    assert found == pytest.approx(share, abs=0.08 if 0 < share < 1 else 0)


def test_what_learns_below_is_not_mixed():
    """A network with `embed`: its features are mixed, not its samples."""

    class Below(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.below, self.head, self.given = nn.Linear(5, 5), Net(), []

        def embed(self, x: Tensor) -> tuple[Tensor]:
            self.given.append(x)
            return (self.below(x),)

    net = Below()
    loss_of(begun(task(net, mixup=1.0)))
    assert torch.equal(net.given[0], BATCH[0]) and not torch.allclose(net.head.seen[0], net.below(BATCH[0]))


def fit(options: Mlp, checkpoint_: object = None, names: tuple = (0, "loop"), net: Net | None = None) -> tuple[Net, list[dict]]:
    net = net or Net()
    return net, loop.fit(task(net, names, **options.model_dump(exclude={"batch_size"})), checkpoint_).history


def rates_of(monkeypatch: pytest.MonkeyPatch, options: Mlp, checkpoint_: object = None) -> list[tuple[float, ...]]:
    """The rate of both groups in every step."""
    rates, make = [], Classification.optimisation

    def listen(self) -> tuple:
        optimizer, schedule = make(self)
        optimizer.register_step_pre_hook(lambda *_: rates.append(tuple(group["lr"] for group in optimizer.param_groups)))
        return optimizer, schedule

    with monkeypatch.context() as patch:
        patch.setattr(Classification, "optimisation", listen)
        fit(options, checkpoint_)
    return rates


def test_the_rate_is_torchs_one_cycle(monkeypatch):
    options = Mlp(epochs=7)  # of 3 batches
    rates = rates_of(monkeypatch, options)
    optimizer = torch.optim.AdamW([{"params": [nn.Parameter(torch.zeros(1))]}, {"params": [nn.Parameter(torch.zeros(1))]}])
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, [0.1, 0.01], total_steps=21, pct_start=0.15, cycle_momentum=False)
    expected = []
    for _ in range(21):
        expected.append(tuple(group["lr"] for group in optimizer.param_groups))
        optimizer.step()
        cycle.step() if len(expected) < 21 else None
    assert np.array(rates) == pytest.approx(np.array(expected), rel=1e-9)
    assert max(rates) == pytest.approx((0.1, 0.01), rel=0.02) and rates[-1][0] < 1e-5


@pytest.mark.parametrize(("loudness", "clipped"), [(1000.0, True), (0.01, False)])
def test_a_steps_gradient_is_cut_to_a_norm_of_two(monkeypatch, loudness, clipped):
    """What the optimiser steps by, of all weights together; a smaller one stays what torch makes it."""
    inputs, norms, make = [(loudness * x).astype(np.float32) for x in INPUTS], [], Classification.optimisation

    def listen(self) -> tuple:
        optimizer, schedule = make(self)
        gradients = list(self.net.parameters())
        optimizer.register_step_post_hook(lambda *_: norms.append(float(torch.cat([p.grad.flatten() for p in gradients]).norm())))
        return optimizer, schedule

    monkeypatch.setattr(Classification, "optimisation", listen)
    net = Net()
    loss = functional.cross_entropy(net(torch.from_numpy(np.stack(inputs))), BATCH[1], label_smoothing=0.1)
    whole = float(torch.cat([one.flatten() for one in torch.autograd.grad(loss, list(net.parameters()))]).norm())
    loop.fit(task(net, inputs=inputs, epochs=1, batch_size=len(TARGETS)))
    assert norms == pytest.approx([2.0 if clipped else whole], rel=1e-4) and (whole > 2) == clipped


@pytest.fixture
def scored(monkeypatch):
    """Trains with a validation UAR that is given, epoch by epoch; returns the net, the history and the weights after every epoch."""

    def train(scores: list[float], **options: object) -> tuple[Net, list[dict], list[Tensor]]:
        given, weights = iter(scores), []
        monkeypatch.setattr(classification, "uar", lambda _: next(given))
        monkeypatch.setattr(loop.Checkpoint, "save", lambda _, state: weights.append(state.tensors["net.weight"].clone()))
        return *fit(Mlp(epochs=len(scores), **options)), weights

    return train


SCORES = [0.1, 0.5, 0.3, 0.5, 0.2, 0.4]


def test_the_best_epochs_weights_are_kept_the_first_of_equals_or_the_lasts(scored):
    net, history, weights = scored(SCORES, keep="best")
    assert torch.equal(net.weight, weights[1]) and len(history) == len(weights) == 6
    net, _, weights = scored(SCORES, keep="last")
    assert torch.equal(net.weight, weights[5]) and not torch.equal(weights[5], weights[1])
    net, _, weights = scored(SCORES[::-1], keep="best")
    assert torch.equal(net.weight, weights[2])
    assert [record["validation_uar"] for record in history] == SCORES


@pytest.mark.parametrize(("patience", "epochs"), [(0, 6), (1, 3), (2, 4), (3, 5), (4, 6), (9, 6)])
def test_training_ends_when_validation_has_not_got_better_for_so_long(scored, patience, epochs):
    net, history, weights = scored(SCORES, patience=patience, keep="best")
    assert [record["epoch"] for record in history] == list(range(1, epochs + 1))
    assert torch.equal(net.weight, weights[1])


def test_an_early_end_that_would_keep_the_weights_of_a_high_rate_is_refused():
    with pytest.raises(FinserError, match=r"^params.yaml, a section with model: mlp: patience 3 ends .*; set keep: best, or patience: 0$"):
        task(patience=3, keep="last")


def test_a_training_without_a_score_is_one_line():
    class Lost(Classification):
        def score(self, record: dict) -> float:
            return float("nan")

    made = Lost(Plain(Net(), Mlp(epochs=2)), examples("train", INPUTS, TARGETS), examples("validation", INPUTS, TARGETS), (0, "loop"))
    with pytest.raises(FinserError, match="training of 0 loop diverged: no validation score was finite; lower its learning_rate"):
        loop.fit(made)


def test_the_record_of_an_epoch_is_of_its_weights_on_the_whole_validation_part(scored):
    net, history = fit(Mlp(epochs=3))
    logits = net(torch.from_numpy(np.stack(INPUTS[::2]))).detach()
    truth = torch.from_numpy(TARGETS[::2])
    recalls = [(logits.argmax(1)[truth == c] == c).float().mean() for c in truth.unique()]
    assert history[-1]["validation_loss"] == pytest.approx(float(functional.cross_entropy(logits, truth)), rel=1e-5)
    assert history[-1]["validation_wa"] == pytest.approx(float((logits.argmax(1) == truth).float().mean()))
    assert history[-1]["validation_uar"] == pytest.approx(float(np.mean(recalls)))


class Killed(Exception):
    """Instead of SIGKILL."""


def killed_in(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Die in the second batch of an epoch."""
    batches = Classification.batches

    def fragile(self, number):
        for k, batch in enumerate(batches(self, number)):
            if (number, k) == (epoch, 1):
                raise Killed
            yield batch

    monkeypatch.setattr(Classification, "batches", fragile)


@pytest.fixture
def always(monkeypatch):
    """The state is kept after every epoch, not now and then."""
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)


def some(params: Params, model: str) -> dict[str, Examples]:
    """A third of the training clips, and the validation clips."""
    options = params.classifiers[model]
    parts = read_parts("speaker", 1, ["ravdess"])
    parts = {"train": parts["train"].take(list(range(0, parts["train"].num_rows, 3))), "validation": parts["validation"]}
    return read_examples(module_of(options).reader(options), parts, dict.fromkeys(parts, ("original",)), params.emotions)


CASES = {
    "small_cnn": ("small_cnn", {"batch_size": 8}),
    "small_cnn best": ("small_cnn", {"batch_size": 8, "keep": "best", "patience": 3}),
    "small_cnn recurrent, sampled": ("small_cnn", {"batch_size": 8, "recurrent": 4, "balance": "sampling"}),
    "fin_ensemble tuned": ("fin_ensemble", {"arm": "tuned", "batch_size": 8, "mixup": 0.5, "time_masks": 1}),
    "fin_ensemble tuned, best": ("fin_ensemble", {"arm": "tuned", "fins": ("rms", "mel"), "batch_size": 8, "keep": "best"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_killed_training_resumes_and_ends_with_the_same_bytes(project, params, altered, monkeypatch, always, tmp_path, case):
    model, options = CASES[case]
    asked = altered(model, epochs=4, variants=("original",), **options)
    parts, names, kept = some(asked, model), (0, model), tmp_path / "kept.safetensors"

    def train(folder: str, where: object, names: tuple = names) -> tuple[list[bytes], list[dict]]:
        classifier = begin(asked.classifiers[model], names, 8)
        classifier.receive(project / "models")  # models/fins
        history = loop.fit(Classification(classifier, parts["train"], parts["validation"], names), where).history
        classifier.net.cpu()
        (tmp_path / folder).mkdir()
        classifier.save(tmp_path / folder)
        return [path.read_bytes() for path in sorted((tmp_path / folder).rglob("*.safetensors"))], history

    whole = train("whole", None)
    with monkeypatch.context() as patch:
        killed_in(patch, 3)
        with pytest.raises(Killed):
            train("killed", kept)
    assert kept.exists()
    epochs = []
    with monkeypatch.context() as patch:
        batches = Classification.batches
        patch.setattr(Classification, "batches", lambda self, epoch: (epochs.append(epoch), batches(self, epoch))[1])
        assert train("resumed", kept) == whole
        assert epochs == [3, 4], "two epochs were done"
        if case == "small_cnn":  # another training's state, and a damaged one, are of no use
            assert train("other", kept, (1, model)) == train("other whole", None, (1, model))
            kept.write_bytes(kept.read_bytes()[:-9])
            assert train("damaged", kept) == whole
            assert epochs == [3, 4] + [1, 2, 3, 4] * 3


def test_a_killed_training_resumes_at_the_same_rate(monkeypatch, always, tmp_path):
    options = Mlp(epochs=4)
    whole = rates_of(monkeypatch, options)
    with monkeypatch.context() as patch:
        killed_in(patch, 3)
        with pytest.raises(Killed):
            fit(options, tmp_path / "kept")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert rates_of(monkeypatch, options, tmp_path / "kept") == whole[6:]
    assert not [str(one.message) for one in said if "lr" in str(one.message)], "torch is asked as it wants to be"


def test_seconds_are_of_all_epochs_and_of_the_loop_alone(monkeypatch, always, tmp_path):
    """A clock that moves a second per batch, and far while the training was dead."""
    now, make = [0.0], Classification.examples
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def slow(self, batch):
        now[0] += 1
        return make(self, batch)

    monkeypatch.setattr(Classification, "examples", slow)

    def seconds(where: object) -> float:
        return loop.fit(task(epochs=4), where).seconds

    assert seconds(None) == 4 * 3
    with monkeypatch.context() as patch:
        killed_in(patch, 3)
        with pytest.raises(Killed):
            seconds(tmp_path / "kept")
    now[0] += 10_000
    assert seconds(tmp_path / "kept") == 4 * 3, "and not the epoch that was lost"
    assert seconds(tmp_path / "kept") == 4 * 3, "nor nothing, when all was over"


@pytest.fixture
def key(monkeypatch, tmp_path):
    """The key of one training, by a copy of the code; returns the function and the copy."""
    shutil.copytree(checkpoint.PACKAGE, tmp_path / "finser", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(checkpoint, "PACKAGE", tmp_path / "finser")
    return lambda: checkpoint.key_of(Net(), [(0, "loop"), Mlp(), TARGETS.tobytes()]), tmp_path / "finser"


def test_a_state_belongs_to_the_code_that_made_it(key):
    """Of all that the loop, the nets and the FINs import, but for what only names, checks or prints."""
    make, package = key
    first = make()
    for name in (
        "training/loop.py",
        "models/resnet18.py",
        "fins/nets/transform.py",
        "fins/nets/mel.py",
        "encoders/sizes.py",
        "audio/shards.py",
        "audio/frames.py",
        "scores/metrics.py",
        "seeds.py",
    ):
        kept = (package / name).read_text()
        (package / name).write_text(kept + "# other\n")
        assert make() != first, name
        (package / name).write_text(kept)
        assert make() == first


def test_a_state_belongs_to_one_machine_and_to_one_version_of_each_library(key, monkeypatch):
    make, _ = key
    keys = [make()]
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: not AVAILABLE)
        patch.setattr(torch.cuda, "get_device_name", lambda: "another")
        keys.append(make())
    for name, value in (("get_num_threads", lambda: 3), ("backends.cpu.get_cpu_capability", lambda: "another")):
        with monkeypatch.context() as patch:
            patch.setattr(f"torch.{name}", value)
            keys.append(make())
    for library in ("torch", "librosa", "transformers", "numpy", "scipy"):
        with monkeypatch.context() as patch:
            patch.setattr(machine, "version", lambda name, other=library: "0.1" if name == other else version(name))
            keys.append(make())
    assert len(set(keys)) == 9 and make() == keys[0]


def test_the_best_weights_survive_a_kill_after_them(monkeypatch, always, tmp_path):
    scores, options = {1: 0.1, 2: 0.6, 3: 0.3, 4: 0.2}, Mlp(epochs=4, keep="best")
    validate, weights = Classification.validate, {}

    def scored_end(self, epoch, train_loss):
        monkeypatch.setattr(classification, "uar", lambda _: scores[epoch])
        weights[epoch] = self.net.weight.detach().clone()
        return validate(self, epoch, train_loss)

    monkeypatch.setattr(Classification, "validate", scored_end)
    with monkeypatch.context() as patch:
        killed_in(patch, 4)
        with pytest.raises(Killed):
            fit(options, tmp_path / "kept")
    net, history = fit(options, tmp_path / "kept")
    assert len(history) == 4 and torch.equal(net.weight, weights[2]) and not torch.equal(weights[2], weights[3])


def test_a_training_that_was_over_is_not_begun_again(monkeypatch, always, tmp_path):
    net, history = fit(Mlp(epochs=2, keep="best"), tmp_path / "kept")
    monkeypatch.setattr(Classification, "batches", None)
    again, same = fit(Mlp(epochs=2, keep="best"), tmp_path / "kept")
    assert torch.equal(net.weight, again.weight) and history == same


@pytest.mark.parametrize("change", [{"names": (1, "loop")}, {"options": Mlp(epochs=2, dropout=0.1)}, {"net": Net()}])
def test_a_state_belongs_to_one_training_only(always, tmp_path, change):
    fit(Mlp(epochs=2), tmp_path / "kept")
    if "net" in change:
        torch.nn.init.zeros_(change["net"].weight)
    before = (tmp_path / "kept").read_bytes()
    with_it = fit(change.pop("options", Mlp(epochs=2)), tmp_path / "kept", **change)
    assert len(with_it[1]) == 2 and (tmp_path / "kept").read_bytes() != before
