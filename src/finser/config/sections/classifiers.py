"""Sections `train_classifier` and `fine_tune`: one kind of section per model, with its defaults."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from finser.config.base import (
    AstSize,
    CorpusName,
    Count,
    Feature,
    LearningRate,
    Name,
    Probability,
    Section,
    Variant,
)
from finser.config.sections.masks import Masks
from finser.config.sections.network_inputs import LogMel, SampleAugment, SpectrogramAugment

FINS = "models/fins"
PRETRAINED = "models/pretrained/"
PUBLISHED = "models/weights/"
DEFAULT_VARIANTS = ("original", "noise", "speed_pitch")
WITH_FINS = ("frozen", "tuned", "formula")  # arms that start from the FINs; formula: for their constants
Pooling = Literal["attention", "statistics"]
Statistic = Literal["mean", "sd", "max"]
Normalise = Literal["train", "speaker"]
NORMALISE = Field(
    "train",
    description="means and standard deviations of the inputs: of the training part; or of each speaker's own clips (speaker), which needs "
    "several clips of a speaker and no emotions, and uses all test clips of a speaker to classify each of them",
)
INIT = rf"^({FINS}|({PRETRAINED}|{PUBLISHED})[a-z][a-z0-9_]*)$"


class ClassifierSection(Section):
    """Keys of every classifier."""

    seeded: ClassVar[bool] = True  # whether its training draws anything
    by_gradient: ClassVar[bool] = True  # whether it is trained by the training loop; otherwise it has a method `solve`
    on_gpu: ClassVar[bool] = True  # whether its jobs use a GPU if the machine has one
    needs_encoder: ClassVar[bool] = False  # whether `init` must name the weights of an encoder of speech

    model: str
    init: str | None = Field(
        None,
        pattern=INIT,
        description="in fine_tune only: the initial weights, models/fins, models/pretrained/TRUNK or models/weights/NAME",
    )
    corpora: tuple[CorpusName, ...] | None = Field(None, min_length=1, description="corpora of `pooled` to train and test on; default: all")
    variants: tuple[Variant, ...] = Field(
        ("original",), min_length=1, description="variants to train on; validation and test always use originals"
    )
    speakers: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="fraction of each corpus's training speakers to train on")

    @property
    def reads(self) -> tuple[str, ...]:
        """Data that it is trained on: ``shards`` and ``labels``, or stored representations."""
        return ("shards", "labels")


class Svm(ClassifierSection):
    """The baseline: an RBF SVM on one vector per clip, by default 211 summary statistics, z-scored on train."""

    seeded: ClassVar[bool] = False  # its optimum depends on no draw
    by_gradient: ClassVar[bool] = False
    on_gpu: ClassVar[bool] = False
    model: Literal["svm"] = "svm"
    c: float = Field(10.0, gt=0, description="C of the SVM")
    representation: Literal["statistics", "egemaps", "compare_2016"] = Field(
        "statistics",
        description="its input: 211 statistics of librosa's features, or openSMILE's 88 functionals of eGeMAPSv02 or 6,373 of ComParE_2016",
    )

    @property
    def reads(self) -> tuple[str, ...]:
        """The stored representation."""
        return (self.representation,)


class Network(ClassifierSection):
    """Keys of every network: optimiser, regularisation and class balance."""

    epochs: Count = Field(
        40, description="maximum number; the learning rate rises over the first 15 % of them and decays to zero at the last"
    )
    patience: int = Field(0, ge=0, description="epochs without a better validation UAR before training stops early; 0: never")
    keep: Literal["last", "best"] = Field("last", description="weights of the last epoch, or of the one with the best validation UAR")
    batch_size: Count = 32
    learning_rate: LearningRate = Field(0.002, description="peak learning rate of AdamW")
    weight_decay: float = Field(0.02, ge=0)
    dropout: float = Field(0.4, ge=0, lt=1)
    balance: Literal["none", "weights", "sampling"] = Field(
        "none", description="against unequal classes: weights in the loss, or sampling of clips so that classes are equally frequent"
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    mixup: Probability = Field(0.0, description="fraction of the batches in which clips are mixed in pairs, lambda ~ Beta(0.3, 0.3)")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="bf16: training in bfloat16, about half the time if the processor supports it; results differ from fp32",
    )


class Mlp(Network):
    """A dense network on statistics of 20 MFCC."""

    on_gpu: ClassVar[bool] = False  # too small to gain from one
    model: Literal["mlp"] = "mlp"
    variants: tuple[Variant, ...] = Field(
        DEFAULT_VARIANTS, min_length=1, description="variants to train on; validation and test always use originals"
    )
    hidden: tuple[Count, ...] = Field((128, 64), min_length=1, description="units per hidden layer")
    epochs: Count = 60
    batch_size: Count = 64
    learning_rate: LearningRate = Field(0.001, description="peak learning rate of AdamW")
    weight_decay: float = Field(0.01, ge=0)
    dropout: float = Field(0.3, ge=0, lt=1)

    @property
    def reads(self) -> tuple[str, ...]:
        """Stored statistics."""
        return ("statistics",)


class EncoderSection(ClassifierSection):
    """Keys of the classifiers on an encoder's statistics of clips, which the stage `embed` computes. The encoder stays as published."""

    needs_encoder: ClassVar[bool] = True
    on_gpu: ClassVar[bool] = False  # too small to gain from one
    statistics: tuple[Statistic, ...] | None = Field(
        None, min_length=1, description="statistics over time to use; default: all that are stored of the encoder"
    )
    normalise: Normalise = NORMALISE

    @property
    def reads(self) -> tuple[str, ...]:
        """The encoder's stored statistics."""
        return () if self.init is None else (self.init.removeprefix(PUBLISHED),)


class EncoderProbe(EncoderSection):
    """Logistic regression or an SVM on an encoder's statistics of clips: of one layer, chosen by validation UAR, or of all."""

    seeded: ClassVar[bool] = False  # its optimum depends on no draw
    by_gradient: ClassVar[bool] = False
    model: Literal["encoder_probe"] = "encoder_probe"
    probe: Literal["logistic", "svm"] = Field("logistic", description="logistic regression, or an SVM with an RBF kernel")
    c: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None,
        min_length=1,
        description="values of C; the one with the best validation UAR is taken. "
        "Default: .001, .01 and .1 for logistic, 1, 10 and 100 for svm",
    )
    layer: Literal["best", "all"] | Annotated[int, Field(ge=0)] = Field(
        "best", description="layer whose statistics are used: the one with the best validation UAR, all together, or a number"
    )

    @property
    def penalties(self) -> tuple[float, ...]:
        """Values of C to try."""
        return self.c or ((0.001, 0.01, 0.1) if self.probe == "logistic" else (1.0, 10.0, 100.0))


class EncoderHead(Network, EncoderSection):
    """A dense network on a weighted sum of an encoder's layers; the weights of the layers are trained with it."""

    model: Literal["encoder"] = "encoder"
    hidden: tuple[Count, ...] = Field((128,), description="units per hidden layer; []: linear")
    epochs: Count = 60
    batch_size: Count = 64
    learning_rate: LearningRate = Field(0.001, description="peak learning rate of AdamW")
    layer_learning_rate: LearningRate = Field(0.01, description="peak learning rate of the weights of the layers")
    mixup: Probability = Field(0.5, description="fraction of the batches in which clips are mixed in pairs, lambda ~ Beta(0.3, 0.3)")


class EncoderTuned(Network):
    """An encoder that is trained further with a classifier on top: attention pooling of a weighted sum of its layers."""

    needs_encoder: ClassVar[bool] = True
    model: Literal["encoder_tuned"] = "encoder_tuned"
    front_end: Literal["frozen", "tuned"] = Field("frozen", description="the convolutions below the transformer; byol_s has none")
    frozen_layers: int = Field(0, ge=0, description="number of lower layers that stay as published, too")
    encoder_learning_rate: LearningRate = Field(0.00003, description="peak learning rate of the encoder's last layer")
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        0.9, description="factor on the learning rate from each layer to the one below"
    )
    lora_rank: int = Field(0, ge=0, description="train low-rank updates of the attention's products instead of the encoder; 0: the encoder")
    gradient_checkpointing: bool = Field(False, description="compute activations twice, in less memory; not for byol_s")
    crop_seconds: Annotated[float, Field(ge=0.25, le=30)] = Field(3.0, description="training clips are cropped to this length")
    augment: SampleAugment = SampleAugment()
    pooling: Pooling = Field(
        "attention", description="mean and standard deviation over time: unweighted, or with learned weights (attention)"
    )
    epochs: Count = 30
    batch_size: Count = 16
    learning_rate: LearningRate = Field(0.001, description="peak learning rate of AdamW for the layers above the encoder")
    mixup: Probability = Field(0.0, description="fraction of the batches in which clips are mixed in pairs, lambda ~ Beta(0.3, 0.3)")

    @model_validator(mode="after")
    def _one_way(self) -> "EncoderTuned":
        """Refuse keys that exclude each other."""
        if self.lora_rank and (self.frozen_layers or self.front_end == "tuned"):
            raise ValueError("lora_rank leaves the encoder as published: leave out frozen_layers and front_end")
        if self.frozen_layers and self.front_end == "tuned":
            raise ValueError("front_end is below the frozen_layers: it cannot be tuned without them")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        """The samples."""
        return ("shards",)


class SpectrogramNetwork(Network):
    """A network on log-mel spectrograms."""

    mixup: Probability = Field(0.5, description="fraction of the batches in which clips are mixed in pairs, lambda ~ Beta(0.3, 0.3)")
    log_mel: LogMel = LogMel()
    augment: SpectrogramAugment = SpectrogramAugment()

    @property
    def trunk_shape(self) -> dict[str, Any]:
        """Keys that a pretrained encoder must share with a section that starts from it, and their values."""
        return {"model": self.model, "width": self.width, "log_mel.bands": self.log_mel.bands}


class ShallowCnn(SpectrogramNetwork):
    """Two convolutions and a dense layer on log-mel spectrograms."""

    model: Literal["shallow_cnn"] = "shallow_cnn"
    width: Count = Field(32, description="channels of the first convolution; the second has twice as many")
    pooling: Pooling = Field(
        "statistics", description="mean and standard deviation over time: unweighted, or with learned weights (attention)"
    )


class SmallCnn(SpectrogramNetwork):
    """Four convolutions on log-mel spectrograms, optionally a recurrent layer, pooling over time."""

    model: Literal["small_cnn"] = "small_cnn"
    width: int = Field(24, ge=3, multiple_of=3, description="channels of the first convolution; the others have 2, 8/3 and 4 times as many")
    recurrent: int = Field(0, ge=0, description="units per direction of a GRU over time; 0 for none")
    pooling: Pooling = Field(
        "attention", description="mean and standard deviation over time: unweighted, or with learned weights (attention)"
    )


class Resnet18(SpectrogramNetwork):
    """ResNet-18 with one input channel on log-mel spectrograms."""

    model: Literal["resnet18"] = "resnet18"
    # with fewer, torch 2.13's backward pass of its strided 1 x 1 convolutions overruns memory on CPUs in channels_last
    width: int = Field(64, ge=8, description="channels of the first stage; 64 is ResNet-18, 11,174,344 weights with eight classes")
    pooling: Literal["mean", "statistics", "attention"] = Field(
        "mean",
        description="mean over time as published; or mean and sd over time, unweighted (statistics) or with learned weights (attention)",
    )


class FinEnsemble(Network):
    """A temporal network on the outputs of the five FINs, or on librosa's features."""

    model: Literal["fin_ensemble"] = "fin_ensemble"
    variants: tuple[Variant, ...] = Field(
        DEFAULT_VARIANTS, min_length=1, description="variants to train on; validation and test always use originals"
    )
    arm: Literal["librosa", "frozen", "tuned", "formula", "uninitialised"] = Field(
        "frozen",
        description="librosa's features; frozen FINs; or trainable networks of the FINs' shape, with the FINs' weights (tuned), with "
        "weights from librosa's formula (formula) or with random ones (uninitialised); frozen, tuned and formula need init: models/fins",
    )
    fins: tuple[Feature, ...] = Field(
        ("rms", "zcr", "chroma", "mfcc", "mel"),
        description="features computed by FINs; librosa computes the others; [] in the arm `librosa`",
    )
    fin_learning_rate: LearningRate = Field(0.0002, description="of the FINs, in the arms `tuned`, `formula` and `uninitialised`")
    trim_db: float = Field(
        30.0, ge=0, le=100, description="trim leading and trailing frames this many dB below the loudest frame; 0: no trimming"
    )
    channels: Count = Field(96, description="width of the convolutions over time")
    pooling: Pooling = Field(
        "attention", description="mean and standard deviation over time: unweighted, or with learned weights (attention)"
    )
    crop_frames: int = Field(96, ge=16, description="training clips are cropped or padded to this number of frames")
    band_masks: int = Field(0, ge=0, description="SpecAugment: number of masks over features")
    time_masks: int = Field(0, ge=0, description="SpecAugment: number of time masks of up to 16 frames")
    epochs: Count = Field(
        10, description="maximum number; the learning rate rises over the first 15 % of them and decays to zero at the last"
    )

    @property
    def reads(self) -> tuple[str, ...]:
        """The outputs of frozen FINs are stored, too."""
        return ("shards", "labels", "fins") if self.arm == "frozen" else ("shards", "labels")


class Ast(Network):
    """The Audio Spectrogram Transformer on Kaldi's log-mel filter banks."""

    model: Literal["ast"] = "ast"
    model_size: AstSize = Field("tiny", description="width, layers and heads; tiny, small and base are DeiT's, base is the published one")
    frequency_stride: int = Field(10, ge=1, le=16, description="bands from one patch of 16 to the next; 16 is cheaper")
    time_stride: int = Field(10, ge=1, le=16, description="frames from one patch of 16 to the next; 16 is cheaper")
    frames: int = Field(300, ge=16, le=1024, description="clips are cropped or padded to this number of frames of 10 ms")
    masks: Masks = Masks()
    epochs: Count = Field(
        15, description="maximum number; the learning rate rises over the first 15 % of them and decays to zero at the last"
    )
    learning_rate: LearningRate = Field(0.0005, description="peak learning rate of AdamW; use 0.00005 with published weights")
    dropout: float = Field(0.1, ge=0, lt=1, description="before the last layer")

    @property
    def trunk_shape(self) -> dict[str, Any]:
        """Keys that a pretrained encoder must share with a section that starts from it, and their values."""
        return {name: getattr(self, name) for name in ("model", "model_size", "frequency_stride", "time_stride", "frames")}

    @property
    def reads(self) -> tuple[str, ...]:
        """Stored filter banks."""
        return ("filter_banks",)


AnyClassifier = Annotated[
    Svm | Mlp | ShallowCnn | SmallCnn | Resnet18 | Ast | FinEnsemble | EncoderProbe | EncoderHead | EncoderTuned,
    Field(discriminator="model"),
]
KINDS: dict[str, type[ClassifierSection]] = {
    "svm": Svm,
    "mlp": Mlp,
    "shallow_cnn": ShallowCnn,
    "small_cnn": SmallCnn,
    "resnet18": Resnet18,
    "ast": Ast,
    "fin_ensemble": FinEnsemble,
    "encoder_probe": EncoderProbe,
    "encoder": EncoderHead,
    "encoder_tuned": EncoderTuned,
}
Classifiers = dict[Name, AnyClassifier]


def with_init(section: ClassifierSection) -> ClassifierSection:
    """Return the section, with ``init: models/fins`` added if its arm needs FINs and ``init`` is missing."""
    needed = getattr(section, "arm", None) in WITH_FINS and section.init is None
    return section.model_copy(update={"init": FINS}) if needed else section


def by_map(sections: Mapping[str, ClassifierSection]) -> dict[str, dict[str, ClassifierSection]]:
    """Sections as the two maps of params.yaml: ``train_classifier`` without ``init``, ``fine_tune`` with it."""
    full = {name: with_init(section) for name, section in sections.items()}
    return {
        "train_classifier": {name: section for name, section in full.items() if section.init is None},
        "fine_tune": {name: section for name, section in full.items() if section.init is not None},
    }
