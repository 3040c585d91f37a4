"""Pretraining by imitation: a network's trunk is trained to predict librosa's features of training clips, without emotion labels.

The trunk's input is a masked crop of a clip. A linear layer on its output predicts the 162 features of the crop, averaged over the frames
of each output step and z-scored. This serves where no published weights are available (docs/classifiers.md).
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from finser import layout, machine, seeds
from finser.audio.frames import DIMENSIONS
from finser.classifiers.classification import GRADIENT_NORM
from finser.classifiers.prepare import prepared
from finser.config.params import Params
from finser.config.sections.masks import Masks
from finser.config.sections.pretrain import Pretrain
from finser.errors import FinserError
from finser.features import log_mel as spectrograms
from finser.features import pool
from finser.features.examples import check_apart, read_examples
from finser.features.rows import Reader, Row
from finser.files import whole_folder, write_json
from finser.fins.features import N_FEATURES, of_librosa
from finser.models import begin, module_of
from finser.models.network import WEIGHTS, NetworkClassifier
from finser.models.pooling import frame_mask
from finser.progress import say
from finser.splits.table import LEAKY, read_parts
from finser.training.batches import Batches, Collate
from finser.training.loop import Task, fit
from finser.training.optimisers import Optimisation, adamw_one_cycle

LIBRARIES = ("torch", "transformers", "librosa", "safetensors")
Pair = tuple[np.ndarray, np.ndarray]  # the network's input of a clip, and librosa's features of the same frames, (t, 162)


class FeatureRegressor(nn.Module):
    """Trunk with a linear layer on top, which predicts the features of each step.

    Parameters
    ----------
    net : nn.Module
        Network with `trunk`, from (batch, t, dim) to (batch, steps, width), and ``TIME_STEP``, the number of frames per step.
    """

    def __init__(self, net: nn.Module, width: int) -> None:
        super().__init__()
        self.net, self.out = net, nn.Linear(width, N_FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        """Features per step: (batch, t, dim) -> (batch, steps, 162)."""
        return self.out(self.net.trunk(x))


class CollatePairs:
    """Collate crops of clips with the mean features of each step and a mask of valid steps.

    Parameters
    ----------
    plain : Collate
        The network's own collate of whole clips.
    mean, scale : np.ndarray
        Mean and standard deviation of the features on the training part, shape (162,).
    net : nn.Module
        Network with ``TIME_STEP``. If it has ``n_frames`` and ``n_steps``, all its inputs have one length, and `crop` has no effect.
    """

    def __init__(self, plain: Collate, mean: np.ndarray, scale: np.ndarray, net: nn.Module, crop: int, masks: Masks) -> None:
        self.plain, self.mean, self.scale, self.masks = plain, mean, scale, masks
        self.fixed = getattr(net, "n_frames", 0)
        self.crop = self.fixed or crop
        self.step, self.most = net.TIME_STEP, getattr(net, "n_steps", sys.maxsize)

    def length(self, pair: Pair) -> int:
        """Return the padded length of a whole clip."""
        return self.plain.length(pair[0])

    def __call__(self, pairs: list[Pair], rng: np.random.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return inputs (batch, t, dim), targets (batch, steps, 162), and a bool mask of the valid steps (batch, steps)."""
        if rng is not None:
            starts = [int(rng.integers(0, max(len(x) - self.crop, 0) + 1)) for x, _ in pairs]
            pairs = [(x[s : s + self.crop], y[s : s + self.crop]) for (x, y), s in zip(pairs, starts, strict=True)]
        elif self.fixed:  # the network's own collate would crop the inputs to the centre, but not the features
            pairs = [(x[: self.fixed], y[: self.fixed]) for x, y in pairs]
        inputs, counts = self.plain([x for x, _ in pairs], None)
        if rng is not None:
            inputs[torch.from_numpy(spectrograms.masks(inputs.shape, counts.numpy(), self.masks, rng))] = 0
        steps = min(-(-inputs.shape[1] // self.step), self.most)
        targets = np.zeros((len(pairs), steps, N_FEATURES), np.float32)
        for row, (_, features) in zip(targets, pairs, strict=True):
            means = step_means((features - self.mean) / self.scale, self.step)[:steps]
            row[: len(means)] = means
        return inputs, torch.from_numpy(targets), frame_mask(counts, steps, self.step)


def pretrain(params: Params, trunk: str, protocol: str, fold: int) -> None:
    """Write models/pretrained/TRUNK/PROTOCOL/FOLD/: model.safetensors (the trunk alone), and config.json with the history.

    Only the training part of the fold trains the trunk, and its emotion labels are not used.
    """
    options, settings = params.classifiers[trunk], params.pretrain
    classes = prepared(options, trunk)["classes"]
    pool.verify(pool.read(f"pretrain/{trunk}"), layout.pool(f"pretrain/{trunk}"))
    parts = read_parts(protocol, fold, settings.corpora or params.pooled)
    reader = paired(module_of(options).reader(options), module_of(options).frame_numbers(options))
    asked = {part: parts[part] for part in ("train", "validation")}
    examples = read_examples(reader, asked, {"train": settings.variants, "validation": ("original",)}, classes)
    check_apart(examples.values(), leaky=LEAKY[protocol])
    names = (params.seed, "pretrain", trunk, protocol, fold)
    classifier = begin(options, names, len(classes))
    checkpoint = layout.checkpoint("pretrain", trunk, protocol, str(fold))
    history, seconds, _ = fit(Pretraining(classifier, examples["train"].inputs, examples["validation"].inputs, settings, names), checkpoint)
    classifier.net.cpu()
    write_json(layout.training_time("pretrain", trunk, protocol, fold), {"seconds_train": round(seconds, 3)})
    said = {"trunk": trunk, "protocol": protocol, "fold": fold, "speakers": sorted(set(examples["train"].speakers))}
    said |= {"history": history, **machine.settings(LIBRARIES)}
    said["options"] = params.settings_of_trunk(trunk)
    _write(layout.pretrained(trunk, protocol, fold), classifier.net, said)
    checkpoint.unlink(missing_ok=True)
    say(f"{trunk}, {protocol}, fold {fold}: explained variance {history[-1]['validation_r2']:.3f} on validation")


class Pretraining(Task):
    """Pretraining of a trunk on librosa's features.

    The loss is the mean squared error of the z-scored features over the steps that contain frames of a clip.

    Parameters
    ----------
    classifier : NetworkClassifier
        Classifier with its initial weights. Its normalisation is computed from `train`, and its trunk is trained.
    train, validation : list of Pair
        Clips of the two parts.
    settings : Pretrain
        Section ``pretrain`` of params.yaml.
    names : tuple
        Seed names of every random draw.
    """

    gradient_norm = GRADIENT_NORM

    def __init__(
        self,
        classifier: NetworkClassifier,
        train: list[Pair],
        validation: list[Pair],
        settings: Pretrain,
        names: tuple,
    ) -> None:
        self.settings, self.names, self.options = settings, names, classifier.options
        classifier.normalise_on([x for x, _ in train])
        plain = classifier.collate(training=False)
        width = _width(classifier.net, plain([train[0][0]], None)[0])
        mean, scale = spectrograms.statistics([y for _, y in train])
        collate = partial(CollatePairs, plain, mean, scale, classifier.net, masks=settings.masks)
        self.train = Batches(train, None, collate(crop=settings.crop_frames), settings.batch_size, names)
        self.validation = Batches(validation, None, collate(crop=0), settings.batch_size)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeds.seed_for(*names, "out"))
            regressor = FeatureRegressor(classifier.net, width)
        super().__init__(" ".join(map(str, names)), regressor, settings.epochs)

    def about(self) -> Iterator[object]:
        """Yield names, settings, the network's options and both parts."""
        yield from (self.names, self.settings, self.options)
        yield from self.train.data()
        yield from self.validation.data()

    def optimisation(self) -> Optimisation:
        """AdamW with a one-cycle learning rate."""
        groups = [{"params": list(self.net.parameters()), "lr": self.settings.learning_rate}]
        return adamw_one_cycle(groups, self.settings.weight_decay, self.epochs * len(self.train))

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """Return the mini-batches of inputs, features and masks of valid steps; seed dropout for this epoch."""
        torch.manual_seed(seeds.seed_for(*self.names, "dropout", epoch))
        return self.train.of_epoch(epoch)

    def examples(self, batch: list[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]:
        """Return inputs (batch, t, dim), and features (batch, steps, 162) with their mask of valid steps (batch, steps)."""
        inputs, features, counts = batch
        return (inputs,), (features, counts)

    def loss(self, output: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        """Mean squared error."""
        features, counts = target
        return functional.mse_loss(output[counts], features[counts])

    def validate(self, epoch: int, train_loss: float) -> dict:
        """Compute the explained variance on validation clips: 1 - squared error / variance, all features together."""
        found, wanted = self.validation_steps()
        r2 = 1 - float((found - wanted).square().mean() / (wanted - wanted.mean(0)).square().mean())
        return {"epoch": epoch, "train_loss": train_loss, "validation_r2": r2}

    def score(self, record: dict) -> float:
        """The explained variance."""
        return record["validation_r2"]

    def validation_steps(self) -> tuple[Tensor, Tensor]:
        """Return predicted and true features of all valid validation steps, both (steps, 162), on the CPU."""
        found, wanted = [], []
        for batch in self.validation.of_epoch():
            inputs, features, counts = (tensor.to(self.device) for tensor in batch)
            found.append(self.net(inputs)[counts].cpu())
            wanted.append(features[counts].cpu())
        return torch.cat(found), torch.cat(wanted)


def paired(reader: Reader, frame_numbers: Callable[[Row, int], np.ndarray]) -> Reader:
    """Return a reader of pairs: the input that `reader` makes of a clip, and librosa's features at the same times.

    The input may be stored. The features are those of the labels.
    """
    columns = tuple(DIMENSIONS)

    def convert(row: Row) -> Pair:
        """Input and features, (t, dim) and (t, 162)."""
        given = reader.convert(row)
        features = {name: row.features[name] for name in columns}
        return given, at_frames(of_librosa(features), frame_numbers(row, len(given)))

    return replace(reader, convert=convert, features=columns, beside=columns)


def at_frames(features: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Interpolate features at real-valued frame numbers; returns float32, shape (len(positions), 162)."""
    every = np.arange(len(features))
    return np.stack([np.interp(positions, every, column) for column in features.T], axis=1).astype(np.float32)


def step_means(features: np.ndarray, step: int) -> np.ndarray:
    """Return the mean over each `step` frames, the last over the remaining frames: (t, dim) -> (ceil(t / step), dim)."""
    return np.stack([features[first : first + step].mean(0) for first in range(0, len(features), step)])


def _width(net: nn.Module, x: Tensor) -> int:
    """Return the number of channels of the trunk's output, without changing the statistics of batch normalisation."""
    with torch.no_grad():
        width = net.eval().trunk(x).shape[2]
    net.train()
    return width


def _write(folder: Path, net: nn.Module, said: dict) -> None:
    weights = {name: tensor.contiguous() for name, tensor in net.state_dict().items() if name.split(".")[0] in net.TRUNK}
    if not weights:
        raise FinserError("a network without a trunk", where=type(net).__name__)
    with whole_folder(folder) as partial_:
        save_file(weights, partial_ / WEIGHTS)
        (partial_ / "config.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
