"""The typed schema of params.yaml: every scientific choice once, with its range, unit and meaning.

Sections are named as the stages that read them. Unknown keys, wrong types and values out of range are errors that name the
key; nothing defaults silently in params.yaml itself, because `finser preset` writes every key.
"""

import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.constructor import DuplicateKeyError

from finser.errors import FinserError, FinserErrors, nearest
from finser.files import why

CorpusName = Literal["ravdess", "crema_d", "tess", "savee", "esd"]
Feature = Literal["rms", "zcr", "chroma", "mfcc", "mel"]
Way = Literal["closed_form", "staged", "end_to_end"]
UNSEEN_BY_DVC = ("size", "nfiles")  # keys that DVC's run cache leaves out, wherever they stand (dvc/stage/cache.py)


def _seen_by_dvc(name: str) -> str:
    if name in UNSEEN_BY_DVC:
        raise ValueError(f"'{name}' is a name that DVC's run cache does not look at: a change would restore old results; take another name")
    return name


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(_seen_by_dvc)]
Protocol = Literal["speaker", "random", "cross_corpus"]
Made = Literal["noise", "noise_snr", "speed_pitch", "reverberation", "gain", "band_limit", "babble", "noise_file"]
Variant = Literal["original", Made]
Share = Annotated[float, Field(gt=0, lt=1)]
CHECKSUM = r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$"
Probability = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
DEEPEST = 20  # levels of params.yaml; it has 6
EXPECTED = {  # pydantic's names of wrong types, in plain words
    "bool_type": "true or false",
    "dict_type": "a section: keys with values",
    "float_type": "a number, without quotes",
    "int_type": "a whole number, without quotes and decimal point",
    "model_type": "a section: keys with values",
    "model_attributes_type": "a section: keys with values",
    "string_type": "text",
    "tuple_type": "a list",
}
DEFAULT_VARIANTS = ("original", "noise", "speed_pitch")


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"the first limit, {limits[0]}, is above the second, {limits[1]}")
    return limits


def _whole(value: Any) -> Any:
    """Refuse 64.0 where pydantic's literals take it for 64."""
    if isinstance(value, float):
        raise ValueError("Input should be a valid integer")
    return value


Speed = Annotated[float, Field(ge=0.5, le=2)]
FloatRange = Annotated[tuple[float, float], AfterValidator(_ascending)]
SpeedRange = Annotated[tuple[Speed, Speed], AfterValidator(_ascending)]
Pooling = Literal["attention", "statistics"]
Decibels = Annotated[float, Field(ge=-60, le=60)]
DecibelRange = Annotated[tuple[Decibels, Decibels], AfterValidator(_ascending)]
Seconds = Annotated[float, Field(ge=0.01, le=10)]
SecondsRange = Annotated[tuple[Seconds, Seconds], AfterValidator(_ascending)]


class Section(BaseModel):
    """A part of params.yaml: immutable, closed to unknown keys, and of types as written.

    ``true`` is no number, ``"3"`` and ``3.0`` are no integers, 1 is no boolean. An integer may stand for a float.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Synthetic(Section):
    """A small corpus spoken by a synthesizer, made on the spot in the real corpus's layout."""

    source: Literal["synthetic"] = "synthetic"
    speakers: int = Field(4, ge=1, le=24, description="voices, taken in the order of the corpus's plan")
    clips_per_emotion: int = Field(8, ge=1, le=60, description="at most so many clips per speaker and emotion")


class Local(Section):
    """A folder that already holds the corpus, in its publisher's layout or a common repack."""

    source: Literal["local"]
    path: Path = Field(description="folder to copy from")
    files: Count = Field(description="audio files there when `finser preset local` looked; fetch checks it")
    bytes: Count = Field(description="their total size in bytes; fetch checks it")
    digest: str = Field(
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="of names, sizes and times of change of all that is copied; fetch checks it; written by `finser preset local`",
    )
    allow_partial: bool = Field(False, description="accept fewer clips than the publisher counts")


class Download(Section):
    """The publisher's own download, verified by checksum."""

    source: Literal["download"]
    address: str | None = Field(None, pattern=r"^(https?|file)://", description="other address than the publisher's (http, https or file)")
    checksum: str | None = Field(None, pattern=CHECKSUM, description="of the archive at that other address")
    allow_partial: bool = Field(False, description="accept fewer clips than the publisher counts")

    @model_validator(mode="after")
    def _both_or_neither(self) -> "Download":
        if (self.address is None) != (self.checksum is None):
            raise ValueError("address and checksum go together: give both or neither")
        return self


Source = Annotated[Synthetic | Local | Download, Field(discriminator="source")]
SOURCES: dict[str, type[Section]] = {"synthetic": Synthetic, "local": Local, "download": Download}


AstSize = Literal["nano", "tiny", "small", "base", "large"]
SUFFIX = ".safetensors"  # the only format of weights that is read: others can run code


class Weights(Section):
    """Published weights of a transformer: downloaded, or a file that is here; verified before anything reads them."""

    source: Literal["download", "local"] = Field(description="download: from `address`; local: the file at `path`")
    kind: Literal["deit", "ast"] = Field(description="deit: an image model (DeiT with a distillation token); ast: an AST")
    model_size: AstSize = Field("base", description="what they are weights of: docs/classifiers.md has the sizes")
    address: str | None = Field(None, pattern=r"^https?://", description="of a .safetensors file (download)")
    revision: str | None = Field(None, min_length=1, description="the publisher's name of this version, e.g. a commit; recorded (download)")
    path: Path | None = Field(None, description="a .safetensors file (local)")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the file, as its publisher states it")
    licence: str | None = Field(None, description="of the weights, as their publisher states it; recorded")

    @model_validator(mode="after")
    def _one_place(self) -> "Weights":
        given = {name for name in ("address", "revision", "path") if getattr(self, name) is not None}
        wanted = {"address", "revision"} if self.source == "download" else {"path"}
        if given != wanted:
            needs, has = (" and ".join(sorted(names)) or "nothing" for names in (wanted, given))
            raise ValueError(f"source {self.source} needs {needs}, and has {has}")
        place = urlsplit(self.address).path if self.address else str(self.path)
        if not place.endswith(SUFFIX):
            raise ValueError(f"'{place}' is no {SUFFIX} file: nothing else is read, because other formats of weights can run code")
        return self


class Index(Section):
    """What counts as a usable clip."""

    silence_peak: float = Field(
        0.0, ge=0, lt=1, description="a clip whose peak (of full scale 1) is not above this is silent, and excluded"
    )


class Resample(Section):
    """One sampling rate for all corpora."""

    sr: Annotated[Literal[22050], BeforeValidator(_whole)] = Field(
        22050, description="Hz; frames, labels and FINs are defined at this rate"
    )
    quality: Literal["HQ", "VHQ", "MQ"] = Field("HQ", description="recipe of the SoX resampler (soxr)")


class Noise(Section):
    """White Gaussian noise, as in the published experiment."""

    amplitude: float = Field(0.035, gt=0, le=1, description="noise sd = amplitude x U(0, 1) x peak of the clip")


class NoiseSnr(Section):
    """White Gaussian noise at a signal-to-noise ratio."""

    snr_db: DecibelRange = Field((5.0, 25.0), description="dB, uniform between the two; equal limits state one value")


class SpeedPitch(Section):
    """Slower and higher, by one pass of a phase vocoder and one resampling, as the published 0.8 and +0.7 semitones."""

    rate: float = Field(0.8, ge=0.5, le=2, description="speed factor: 0.8 makes a clip 1.25 times as long")
    semitones: float = Field(0.7, ge=-12, le=12, description="pitch shift")
    method: Literal["phase_vocoder", "signalsmith"] = Field(
        "phase_vocoder", description="signalsmith needs the optional package python-stretch"
    )


class Reverberation(Section):
    """A synthetic room: the direct sound, then exponentially decaying noise."""

    rt60: SecondsRange = Field((0.2, 0.8), description="reverberation time in seconds, uniform between the two")
    drr_db: DecibelRange = Field((0.0, 12.0), description="direct over reverberant energy in dB, uniform between the two")


class Gain(Section):
    """Louder or softer; what would exceed full scale is scaled down to it as a whole."""

    db: DecibelRange = Field((-20.0, 6.0), description="dB, uniform between the two")


class BandLimit(Section):
    """Resampled to a lower rate and back."""

    sr: int = Field(8000, ge=2000, lt=22050, description="the lower rate in Hz; what lies above half of it is gone")


class Babble(Section):
    """Other speakers of the same corpus, talking at the same time (docs/augmentation.md: these may be test speakers' voices)."""

    talkers: int = Field(4, ge=1, le=20, description="clips mixed in, each of another speaker where there are so many")
    snr_db: DecibelRange = Field((5.0, 20.0), description="clip over the sum of the talkers in dB, uniform between the two")


class NoiseFile(Section):
    """Recordings of noise from a folder: ESC-50 (audio/ and meta/esc50.csv), or any .wav files in it and below."""

    folder: Path | None = Field(None, description="where they lie; needed if augment.variants names noise_file")
    files: Count | None = Field(None, description="recordings there; augment checks it, and says what it found")
    bytes: Count | None = Field(None, description="their total size in bytes; augment checks it, and says what it found")
    digest: str | None = Field(
        None,
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="of their names, sizes and times of change; augment checks it",
    )
    snr_db: DecibelRange = Field((0.0, 20.0), description="clip over noise in dB, uniform between the two")


class Augment(Section):
    """Variants made of every clip, beside the original (docs/augmentation.md)."""

    variants: tuple[Made, ...] = Field(("noise", "speed_pitch"), description="made of every clip, in this order after the original")
    noise: Noise = Noise()
    noise_snr: NoiseSnr = NoiseSnr()
    speed_pitch: SpeedPitch = SpeedPitch()
    reverberation: Reverberation = Reverberation()
    gain: Gain = Gain()
    band_limit: BandLimit = BandLimit()
    babble: Babble = Babble()
    noise_file: NoiseFile = NoiseFile()

    @model_validator(mode="after")
    def _complete(self) -> "Augment":
        if len(set(self.variants)) < len(self.variants):
            raise ValueError(f"variants names something twice: {', '.join(self.variants)}")
        if "noise_file" in self.variants and self.noise_file.folder is None:
            raise ValueError("variants names 'noise_file', and noise_file.folder does not say where the recordings lie")
        return self


class Label(Section):
    """librosa's features of every frame: 2,048 samples, hop 512, at 22,050 Hz (docs/features.md)."""

    definition: Literal["frame", "librosa_default"] = Field(
        "frame",
        description="frame: what the frame alone determines (tuning 0, no clip-wide top_db); librosa_default: the five plain calls",
    )


class Split(Section):
    """Who is in train, validation and test."""

    folds: int = Field(
        5, ge=2, le=10, description="test parts per protocol (cross_corpus: one per corpus); published folds where a corpus has them"
    )
    speaker_validation: Share = Field(
        0.2, description="speaker, cross_corpus: share of a corpus's speakers outside test that validate (at least one of two)"
    )
    random_validation: Share = Field(0.15, description="random: share of the files that validate, within corpus x emotion")
    random_test: Share = Field(0.15, description="random: share of the files that test, within corpus x emotion")

    @model_validator(mode="after")
    def _leaves_training(self) -> "Split":
        if self.random_test + self.random_validation >= 1:
            raise ValueError("random_test and random_validation together leave no file to train on")
        return self


class TrainFrontEnd(Section):
    """The learnable three-stage transform that chroma, mel and MFCC share, taught the STFT of noise frames."""

    init: Literal["random", "closed_form"] = Field(
        "random", description="closed_form starts at the DFT: it has learned nothing, and says so"
    )
    adam_steps: int = Field(2000, ge=1, description="steps of Adam on fresh noise frames")
    batch_size: Count = Field(16, description="noise frames per step")
    learning_rate: LearningRate = Field(0.02, description="falls by 3.5 decades over the last four fifths of adam_steps")
    target_db: float = Field(-100.0, lt=0, description="dB error on held-out noise frames at which training ends early")


class Disturbance(Section):
    """What happens to training frames before they are learned from; the targets are librosa's features of the outcome."""

    gain_db: float = Field(20.0, ge=0, le=60, description="every frame is scaled by U(-gain_db, gain_db) dB")
    noise: Probability = Field(0.3, description="share of the frames that white noise is added to")
    noise_snr_db: DecibelRange = Field((-10.0, 60.0), description="its SNR is uniform between these")
    origin_16k: Probability = Field(0.25, description="share without anything above 8 kHz, as if recorded at 16 kHz")
    origin_8k: Probability = Field(0.12, description="share without anything above 4 kHz, as if recorded at 8 kHz")

    @model_validator(mode="after")
    def _possible(self) -> "Disturbance":
        if self.origin_16k + self.origin_8k > 1:
            raise ValueError("origin_16k and origin_8k together are more than all frames")
        return self


class FinData(Section):
    """The frames that FINs learn from; the corpora not named here are the unseen ones."""

    corpora: tuple[CorpusName, ...] = Field(
        ("esd",),
        min_length=1,
        description="corpora trained and tested on; if classifiers learn from them, too, FINs hear test speakers of other folds",
    )
    fold: Count = Field(1, description="fold of the `speaker` split whose speakers train, validate and test")
    disturbance: Disturbance = Disturbance()
    validation_frames: Count = Field(4_000, ge=2, description="frames that training is judged by, spread evenly over the validation clips")


class Fin(Section):
    """Training of one FIN."""

    steps: Count = Field(3000, description="at most; the rate falls over these")
    patience: Count = Field(4, description="checks (ten in a training) without a better validation R2 after which it ends early")
    batch_size: Count = 64
    learning_rate: LearningRate = Field(0.02, description="of Adam; falls by 3 decades over the last four fifths of the steps")


class TrainFin(Section):
    """Feature imitating networks: a raw frame in, librosa's feature out."""

    data: FinData = FinData()
    rms: Fin = Fin(steps=1000, batch_size=64, learning_rate=0.02)
    zcr: Fin = Fin(steps=4000, batch_size=16, learning_rate=0.02)
    chroma: Fin = Fin(steps=3000, batch_size=64, learning_rate=0.05)
    mel: Fin = Fin(steps=1500, batch_size=128, learning_rate=0.005)
    mfcc: Fin = Fin(steps=3000, batch_size=64, learning_rate=0.2)


class EvaluateFin(Section):
    """R2 in the feature's own unit, on test speakers and on corpora never trained on."""

    frames: Count = Field(20_000, ge=2, description="frames per set, spread evenly over its clips")
    conditions: bool = Field(True, description="whether test speakers are also heard at other levels, in noise and from narrower bands")
    speed: bool = Field(True, description="whether time per frame is taken, beside librosa's")


class Staged(Section):
    """The mel FIN below a staged MFCC; its section is not train_fin.mel, whose changes would make all comparisons stale."""

    mel: Fin = Fin(steps=1500, batch_size=128, learning_rate=0.005)


class EndToEnd(Fin):
    """Training of all of a FIN's weights at once, from random, on nothing but its feature."""

    steps: Count = Field(6000, description="at most; the rate falls over these")
    batch_size: Count = 128
    learning_rate: LearningRate = Field(0.04, description="of Adam; falls by 3 decades over the last four fifths of the steps")
    front_end: Literal["narrow", "wide"] = Field(
        "wide", description="wide has 144,576 weights, which need less guidance; narrow is as used"
    )
    excitation: Probability = Field(
        0.5, description="share of the frames that are synthetic, tones and bands of noise, with librosa's feature of them"
    )


class CompareFin(Section):
    """FINs that nothing is built on: other beginnings and seeds, to see what is learned (docs/fins.md)."""

    features: tuple[Feature, ...] = Field(("rms", "zcr", "chroma", "mfcc", "mel"), min_length=1, description="which FINs")
    ways: tuple[Way, ...] = Field(
        ("closed_form",),
        min_length=1,
        description="closed_form: from the formula; staged: as train_fin; end_to_end: all at once, taught nothing but the feature",
    )
    seeds: tuple[Seed, ...] = Field((0,), min_length=1, description="of initial weights and draws, one FIN each")
    closed_form: Fin = Fin(steps=300, batch_size=64, learning_rate=0.001)
    staged: Staged = Staged()
    end_to_end: EndToEnd = EndToEnd()


class ReferenceFin(Fin):
    """The published nets, trained by the same code on the same frames (docs/fins.md)."""

    features: tuple[Feature, ...] = Field(
        ("rms", "zcr"), min_length=1, description="which; chroma, mfcc and mel want a GPU: seconds per step"
    )
    seeds: tuple[Seed, ...] = Field((0,), min_length=1, description="of initial weights and draws, one net each")
    steps: Count = Field(2000, description="at most; the rate falls over these")
    batch_size: Count = 128
    learning_rate: LearningRate = Field(0.001, description="of Adam; falls by 3 decades over the last four fifths of the steps")


class Masks(Section):
    """SpecAugment: what is masked in every training clip, every time anew."""

    band_masks: int = Field(1, ge=0, description="stretches of bands that are masked")
    band_width: int = Field(24, ge=0, description="bands, at most")
    time_masks: int = Field(1, ge=0, description="stretches of time that are masked")
    time_width: int = Field(48, ge=0, description="frames, at most")


class Pretrain(Section):
    """Trunks of networks taught to imitate librosa's features of training clips, without emotions (docs/classifiers.md)."""

    trunks: tuple[Name, ...] = Field((), description="which sections of train_classifier; those with init `imitation` begin from them")
    corpora: tuple[CorpusName, ...] | None = Field(None, min_length=1, description="of `pooled`, those that are heard; all if left out")
    variants: tuple[Variant, ...] = Field(("original",), min_length=1, description="rows trained on")
    crop_frames: int = Field(96, ge=16, description="training clips are cropped to so many of the network's frames; an ast's to its own")
    epochs: Count = 8
    batch_size: Count = 64
    learning_rate: LearningRate = Field(0.003, description="the peak of the rate, of AdamW")
    weight_decay: float = Field(0.01, ge=0)
    masks: Masks = Masks(band_masks=2, band_width=8, time_masks=2, time_width=16)


class Begin(Section):
    """What a classifier begins from."""

    begin: str = Field(description="what DVC watches: trained weights, or the model's own module")


class Initialise(Section):
    """What the classifiers begin from, where that is no random weights."""

    models: dict[Name, Begin] = Field(description="the same as models; dvc.yaml reads here what each begins from")


class Classifier(Section):
    """What every classifier has."""

    on_gpu: ClassVar[bool] = True  # whether its jobs use a GPU where there is one

    model: str
    corpora: tuple[CorpusName, ...] | None = Field(
        None, min_length=1, description="of `pooled`, those that it learns from and is tested on; all if left out"
    )
    variants: tuple[Variant, ...] = Field(
        ("original",), min_length=1, description="rows trained on; validation and test are always originals"
    )
    speakers: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="share of each corpus's training speakers that it learns from")


class Svm(Classifier):
    """The floor: an RBF SVM on 211 summary statistics, z-scored on train."""

    on_gpu: ClassVar[bool] = False
    model: Literal["svm"] = "svm"
    c: float = Field(10.0, gt=0, description="C of the SVM")


class Network(Classifier):
    """What every network has: how long, how fast and against what it learns."""

    epochs: Count = Field(40, description="at most; the rate rises over the first 15 % of them and falls to zero at the last")
    patience: int = Field(0, ge=0, description="epochs without a better validation UAR after which it ends early; 0 never")
    keep: Literal["last", "best"] = Field("last", description="the last epoch's weights, or those of the best validation UAR")
    batch_size: Count = 32
    learning_rate: LearningRate = Field(0.002, description="the peak of the rate, of AdamW")
    weight_decay: float = Field(0.02, ge=0)
    dropout: float = Field(0.4, ge=0, lt=1)
    balance: Literal["none", "weights", "sampling"] = Field(
        "none", description="against unequal classes: weights in the loss, or drawing clips so that classes come equally often"
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    mixup: Probability = Field(0.0, description="share of the batches in which clips are mixed in pairs, lambda ~ Beta(0.3, 0.3)")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="bf16: forward passes of training in bfloat16, half the time where the processor has it; other bits"
    )


class Mlp(Network):
    """A dense network on statistics of 20 MFCC."""

    on_gpu: ClassVar[bool] = False  # too small to gain from one
    model: Literal["mlp"] = "mlp"
    variants: tuple[Variant, ...] = Field(
        DEFAULT_VARIANTS, min_length=1, description="rows trained on; validation and test are always originals"
    )
    hidden: tuple[Count, ...] = Field((128, 64), min_length=1, description="units per hidden layer")
    epochs: Count = 60
    batch_size: Count = 64
    learning_rate: LearningRate = Field(0.001, description="the peak of the rate, of AdamW")
    weight_decay: float = Field(0.01, ge=0)
    dropout: float = Field(0.3, ge=0, lt=1)


class LogMel(Section):
    """Log-mel spectrograms, from the label rows."""

    bands: Annotated[Literal[32, 64, 128], BeforeValidator(_whole)] = Field(64, description="mel bands: librosa's 128, averaged in groups")
    trim_db: float = Field(30.0, ge=0, le=100, description="ends so much softer than the loudest frame are cut off; 0 keeps them")
    center: Literal["clip", "cmn"] = Field("clip", description="the clip's mean is subtracted: one number, or one per band (cmn)")
    crop_frames: int = Field(96, ge=16, description="training clips are cropped or padded to so many frames")


class SpectrogramAugment(Section):
    """What is drawn for every training clip, every time anew."""

    speed_share: Probability = Field(0.6, description="share of the clips played faster or slower, pitch and formants with it")
    speed: SpeedRange = Field((0.85, 1.17), description="factor, log-uniform between the two")
    noise_share: Probability = Field(0.3, description="share of the clips with white noise")
    noise_db: FloatRange = Field((22.0, 57.0), description="dB below the loudest cell, uniform between the two")
    band_masks: int = Field(2, ge=0, description="SpecAugment: stretches of bands that are masked")
    band_width: int = Field(8, ge=0, description="bands, at most")
    time_masks: int = Field(2, ge=0, description="SpecAugment: stretches of time that are masked")
    time_width: int = Field(16, ge=0, description="frames, at most")


class SpectrogramNetwork(Network):
    """A network on log-mel spectrograms."""

    mixup: Probability = Field(0.5, description="share of the batches in which clips are mixed in pairs, lambda ~ Beta(0.3, 0.3)")
    init: Literal["scratch", "imitation"] = Field("scratch", description="random weights, or a trunk that `pretrain` taught")
    trunk: Name | None = Field(None, description="with init `imitation`: which of pretrain.trunks")
    log_mel: LogMel = LogMel()
    augment: SpectrogramAugment = SpectrogramAugment()

    @property
    def trunk_shape(self) -> dict[str, Any]:
        """The keys that say which trunks fit, and their values."""
        return {"model": self.model, "width": self.width, "log_mel.bands": self.log_mel.bands}


class ShallowCnn(SpectrogramNetwork):
    """Two convolutions and a dense layer on log-mel spectrograms."""

    model: Literal["shallow_cnn"] = "shallow_cnn"
    width: Count = Field(32, description="channels of the first convolution; the second has twice as many")
    pooling: Pooling = Field("statistics", description="mean and deviation over time, of all frames alike or under learned weights")


class SmallCnn(SpectrogramNetwork):
    """Four convolutions on log-mel spectrograms, optionally a recurrent layer, pooling over time."""

    model: Literal["small_cnn"] = "small_cnn"
    width: int = Field(24, ge=3, multiple_of=3, description="channels of the first convolution; the others have 2, 8/3 and 4 times as many")
    recurrent: int = Field(0, ge=0, description="units per direction of a GRU over time; 0 for none")
    pooling: Pooling = Field("attention", description="mean and deviation over time, of all frames alike or under learned weights")


class Resnet18(SpectrogramNetwork):
    """ResNet-18 with one input channel on log-mel spectrograms."""

    model: Literal["resnet18"] = "resnet18"
    # with fewer, torch 2.13's backward pass of its strided 1 x 1 convolutions overruns memory on CPUs in channels_last
    width: int = Field(64, ge=8, description="channels of the first stage; 64 is ResNet-18, 11,174,344 weights")
    pooling: Literal["mean", "statistics", "attention"] = Field(
        "mean", description="mean over time as published, or mean and deviation, of all frames alike or under learned weights"
    )


class FinEnsemble(Network):
    """A temporal network on the outputs of the five FINs, or on librosa's features."""

    model: Literal["fin_ensemble"] = "fin_ensemble"
    variants: tuple[Variant, ...] = Field(
        DEFAULT_VARIANTS, min_length=1, description="rows trained on; validation and test are always originals"
    )
    arm: Literal["librosa", "frozen", "tuned", "formula", "uninitialised"] = Field(
        "frozen",
        description="librosa's features, frozen FINs, or nets of the FINs' shape that learn, too: from the FINs' weights, from "
        "librosa's formula, or from random weights",
    )
    fins: tuple[Feature, ...] = Field(
        ("rms", "zcr", "chroma", "mfcc", "mel"),
        description="features that come from FINs, the others are librosa's; [] in the arm `librosa`",
    )
    fin_learning_rate: LearningRate = Field(0.0002, description="of the FINs, in the arms `tuned`, `formula` and `uninitialised`")
    trim_db: float = Field(30.0, ge=0, le=100, description="ends so much softer than the loudest frame are cut off; 0 keeps them")
    channels: Count = Field(96, description="width of the convolutions over time")
    pooling: Pooling = Field("attention", description="mean and deviation over time, of all frames alike or under learned weights")
    crop_frames: int = Field(96, ge=16, description="training clips are cropped or padded to so many frames")
    band_masks: int = Field(0, ge=0, description="SpecAugment: stretches of features that are masked")
    time_masks: int = Field(0, ge=0, description="SpecAugment: stretches of up to 16 frames that are masked")
    epochs: Count = Field(10, description="at most; the rate rises over the first 15 % of them and falls to zero at the last")


class Ast(Network):
    """The Audio Spectrogram Transformer on Kaldi's log-mel filter banks."""

    model: Literal["ast"] = "ast"
    model_size: AstSize = Field("tiny", description="width, layers and heads; tiny, small and base are DeiT's, base is the published one")
    frequency_stride: int = Field(10, ge=1, le=16, description="bands from one patch of 16 to the next; 16 is cheaper")
    time_stride: int = Field(10, ge=1, le=16, description="frames from one patch of 16 to the next; 16 is cheaper")
    frames: int = Field(300, ge=16, le=1024, description="frames of 10 ms that every clip is cropped or padded to")
    init: Literal["scratch", "weights", "imitation"] = Field(
        "scratch", description="random weights, published ones, or a trunk that `pretrain` taught"
    )
    weights: Name | None = Field(None, description="with init `weights`: which section of fetch_weights")
    trunk: Name | None = Field(None, description="with init `imitation`: which of pretrain.trunks")
    masks: Masks = Masks()
    epochs: Count = Field(15, description="at most; the rate rises over the first 15 % of them and falls to zero at the last")
    learning_rate: LearningRate = Field(0.0005, description="the peak of the rate, of AdamW; 0.00005 with published weights")
    dropout: float = Field(0.1, ge=0, lt=1, description="before the last layer")

    @property
    def trunk_shape(self) -> dict[str, Any]:
        """The keys that say which trunks fit, and their values."""
        return {name: getattr(self, name) for name in ("model", "model_size", "frequency_stride", "time_stride", "frames")}


AnyClassifier = Annotated[Svm | Mlp | ShallowCnn | SmallCnn | Resnet18 | Ast | FinEnsemble, Field(discriminator="model")]
KINDS: dict[str, type[Classifier]] = {
    "svm": Svm,
    "mlp": Mlp,
    "shallow_cnn": ShallowCnn,
    "small_cnn": SmallCnn,
    "resnet18": Resnet18,
    "ast": Ast,
    "fin_ensemble": FinEnsemble,
}


def every_model() -> dict[str, Classifier]:
    """A section of every kind, named as its model, with its defaults."""
    return {name: kind() for name, kind in KINDS.items()}


def begins(sections: Mapping[str, Classifier], models: Iterable[str]) -> dict[str, Begin]:
    """What each of `models` begins from: ``initialise.models`` of params.yaml."""
    return {name: Begin(begin=_begin(sections[name])) for name in models if name in sections}


def _begin(options: Classifier) -> str:
    if getattr(options, "init", "scratch") == "imitation":
        return f"models/pretrained/{options.trunk}"
    if getattr(options, "init", "scratch") == "weights":
        return f"models/weights/{options.weights}"
    if getattr(options, "arm", None) in ("frozen", "tuned", "formula"):  # formula: for the FINs' constants
        return "models/fins"
    return f"src/finser/models/{options.model}.py"


class Fusion(Section):
    """One late fusion of trained classifiers, all their seeds."""

    members: tuple[Name, ...] = Field(min_length=1, description="of models; all must be trained and tested on the same corpora")
    method: Literal["mean", "stacked"] = Field(
        "mean", description="equal weights, or those that minimise the validation NLL; both after a temperature per member"
    )


class NoiseCurve(Section):
    """Test clips in noise: UAR over the signal-to-noise ratio."""

    kinds: tuple[Literal["white", "babble"], ...] = Field(("white", "babble"), description="white noise, or training voices; [] for none")
    snr_db: tuple[Decibels, ...] = Field((20.0, 10.0, 5.0, 0.0), min_length=1, description="power of the clip over that of the noise in dB")
    clips: Count = Field(300, description="test clips, evenly spread; the first seed's classifier hears them")


class EvaluateClassifier(Section):
    """WA, UAR and macro-F1 with intervals, calibration, and what noise does."""

    confidence: Share = Field(0.95, description="coverage of the intervals over test speakers")
    noise: NoiseCurve = NoiseCurve()


class Summarise(Section):
    """Figures of all folds together, and comparisons of models."""

    pairs: tuple[tuple[Name, Name], ...] = Field(
        (), description="pairs of models to compare on the same test clips; every model is also compared with the floor, svm"
    )


class Report(Section):
    """The page."""

    title: str = "Speech emotion recognition, reproducibly"


class Params(Section):
    """All of params.yaml."""

    preset: str = Field("demo", description="what `finser preset` wrote this file")
    corpora: tuple[CorpusName, ...] = Field(
        ("ravdess", "crema_d", "tess", "savee", "esd"), min_length=1, description="corpora that are fetched and prepared"
    )
    pooled: tuple[CorpusName, ...] = Field(
        ("ravdess", "crema_d", "tess", "savee"), min_length=1, description="corpora that classifiers learn from together, and are tested on"
    )
    models: tuple[Name, ...] = Field(
        tuple(KINDS),
        min_length=1,
        description="classifiers, sections of train_classifier; svm is the floor; initialise.models names the same",
    )
    fusions: tuple[Name, ...] = Field((), description="late fusions, sections of fuse_classifiers")
    protocols: tuple[Protocol, ...] = Field(
        ("speaker", "random"),
        min_length=1,
        description="speaker keeps speakers apart; random leaks, as much of the literature does; cross_corpus tests on a corpus left out",
    )
    folds: tuple[Count, ...] = Field((1, 2), min_length=1, description="test parts run, out of split.folds")
    seeds: tuple[Seed, ...] = Field(
        (0,), min_length=1, description="of initial weights and training draws: one training of each classifier each"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of every other draw")
    fetch: dict[CorpusName, Source] = Field(description="where each corpus comes from")
    index: Index = Index()
    resample: Resample = Resample()
    augment: Augment = Augment()
    label: Label = Label()
    split: Split = Split()
    train_front_end: TrainFrontEnd = TrainFrontEnd()
    train_fin: TrainFin = TrainFin()
    evaluate_fin: EvaluateFin = EvaluateFin()
    compare_fin: CompareFin = CompareFin()
    reference_fin: ReferenceFin = ReferenceFin()
    fetch_weights: dict[Name, Weights] = Field({}, description="Published weights that a classifier may begin from (docs/classifiers.md)")
    pretrain: Pretrain = Pretrain()
    initialise: Initialise = Initialise(models=begins(every_model(), KINDS))
    train_classifier: dict[Name, AnyClassifier] = Field(every_model(), description="Emotion classifiers: one section per name in models")
    evaluate_classifier: EvaluateClassifier = EvaluateClassifier()
    fuse_classifiers: dict[Name, Fusion] = Field({}, description="Late fusions: one section per name in fusions")
    summarise: Summarise = Summarise()
    report: Report = Report()

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        """Say everything that is wrong between sections at once; names first, since the other checks look things up by them."""
        for checks in (
            (self._known_names, self._nothing_twice),
            (
                self._every_fold_leaves_a_corpus_out,
                self._labels_of_disturbed_frames,
                self._trunks_fit,
                self._weights_fit,
                self._classifiers_can_be_trained,
                self._fusions_have_members,
                self._pairs_can_be_compared,
            ),
            (self._models_begin,),
        ):
            wrong = [message for check in checks for message in check()]
            if wrong:
                raise ValueError("\n".join(wrong))
        return self

    def _known_names(self) -> Iterator[str]:
        for where, named in (
            ("fetch", self.fetch),
            ("train_fin.data.corpora", self.train_fin.data.corpora),
            ("pooled", self.pooled),
        ):
            yield from (f"{where} names '{corpus}', which is not in corpora" for corpus in named if corpus not in self.corpora)
        for corpus in self.corpora:
            if corpus not in self.fetch:
                yield f"corpora names '{corpus}', which has no source under fetch"
        for fold in (*self.folds, self.train_fin.data.fold):
            if fold > self.split.folds:
                yield f"fold {fold} does not exist: split.folds is {self.split.folds}"
        if "speaker" not in self.protocols:
            yield "protocols must name 'speaker': the FINs learn from its training speakers"
        for name in self.models:
            if name not in self.train_classifier:
                yield f"models names '{name}', which is no section of train_classifier; {nearest(name, self.train_classifier)}"
        for name in self.fusions:
            if name not in self.fuse_classifiers or name in self.models:
                yield f"fusions names '{name}', which must be a section of fuse_classifiers, and no model"
        for name, options in self.fuse_classifiers.items():
            for member in options.members:
                if member not in self.models:
                    yield f"fuse_classifiers.{name}.members names '{member}', which is not in models"
        known = (*self.models, *self.fusions)
        for name in dict.fromkeys(name for pair in self.summarise.pairs for name in pair):
            if name not in known:
                yield f"summarise.pairs names '{name}', which is neither in models nor in fusions; {nearest(name, known)}"
        for trunk in self.pretrain.trunks:
            if not hasattr(self.train_classifier.get(trunk), "init"):
                yield f"pretrain.trunks names '{trunk}', which is no network with a trunk in train_classifier"

    def _nothing_twice(self) -> Iterator[str]:
        noise = self.evaluate_classifier.noise
        listed = {name: getattr(self, name) for name in ("corpora", "pooled", "models", "fusions", "protocols", "folds", "seeds")}
        listed |= {f"compare_fin.{name}": getattr(self.compare_fin, name) for name in ("features", "ways", "seeds")}
        listed |= {f"reference_fin.{name}": getattr(self.reference_fin, name) for name in ("features", "seeds")}
        listed["train_fin.data.corpora"] = self.train_fin.data.corpora
        listed |= {f"evaluate_classifier.noise.{name}": getattr(noise, name) for name in ("kinds", "snr_db")}
        listed |= {f"pretrain.{name}": getattr(self.pretrain, name) for name in ("trunks", "corpora", "variants")}
        listed |= {f"fuse_classifiers.{name}.members": fusion.members for name, fusion in self.fuse_classifiers.items()}
        for section, options in self.train_classifier.items():
            listed |= {f"train_classifier.{section}.{name}": getattr(options, name, ()) for name in ("corpora", "variants", "fins")}
        for name, values in listed.items():
            if len(set(values or ())) < len(values or ()):
                yield f"{name} names something twice: {', '.join(map(str, values))}"

    def _every_fold_leaves_a_corpus_out(self) -> Iterator[str]:
        if "cross_corpus" not in self.protocols:
            return
        count = len(self.pooled)
        if count < 2:
            yield "protocols names cross_corpus, which needs two or more corpora in pooled; there is one"
            return
        for fold in self.folds:
            if fold > count:
                yield f"folds names {fold}, and cross_corpus has {count}: one per corpus of pooled"
            else:
                yield from self._trained_and_tested(self.pooled[fold - 1])

    def _trained_and_tested(self, left_out: str) -> Iterator[str]:
        for model in self.models:
            corpora = self.train_classifier[model].corpora
            if corpora is not None and (left_out not in corpora or len(set(corpora)) < 2):
                yield (
                    f"protocols names cross_corpus, a fold of which tests on {left_out} alone and trains on other corpora; "
                    f"train_classifier.{model}.corpora must name {left_out} and another one, or be left out"
                )

    def _labels_of_disturbed_frames(self) -> Iterator[str]:
        disturbance = self.train_fin.data.disturbance
        shares = {f"train_fin.data.disturbance.{name}": getattr(disturbance, name) for name in ("noise", "origin_16k", "origin_8k")}
        if "end_to_end" in self.compare_fin.ways:
            shares["compare_fin.end_to_end.excitation"] = self.compare_fin.end_to_end.excitation
        wrong = ", ".join(name for name, share in shares.items() if share)
        if self.label.definition != "frame" and wrong:
            yield (
                f"under label.definition {self.label.definition} there must be 0 for {wrong}: "
                "what looks beyond the frame cannot be computed from a frame that is changed or made up"
            )

    def _trunks_fit(self) -> Iterator[str]:
        for trunk in self.pretrain.trunks:
            taught = self.train_classifier[trunk]
            if taught.init == "weights":
                yield f"pretrain.trunks names '{trunk}', whose init is 'weights': a trunk is taught from random weights"
            elif taught.trunk not in (None, trunk):
                yield f"pretrain.trunks names '{trunk}', which itself begins from '{taught.trunk}': a trunk is taught from random weights"
        for name, options in self.train_classifier.items():
            where, trunk = f"train_classifier.{name}", getattr(options, "trunk", None)
            if (getattr(options, "init", "scratch") == "imitation") != (trunk is not None):
                yield f"{where}.trunk names one of pretrain.trunks if {where}.init is 'imitation', and is left out if not"
            elif trunk is not None and trunk not in self.pretrain.trunks:
                yield f"{where}.trunk names '{trunk}', which is not in pretrain.trunks"
            elif trunk is not None:
                own, given = options.trunk_shape, self.train_classifier[trunk].trunk_shape
                for key in own:
                    if own[key] != given.get(key):
                        here, there = f"{where}.{key} is {own[key]!r}", f"train_classifier.{trunk}.{key} is {given.get(key)!r}"
                        yield f"{here}, but {there}: a trunk of another shape"

    def _weights_fit(self) -> Iterator[str]:
        for name, options in self.train_classifier.items():
            where, wanted = f"train_classifier.{name}", getattr(options, "weights", None)
            if (getattr(options, "init", "scratch") == "weights") != (wanted is not None):
                yield f"{where}.weights names a section of fetch_weights if {where}.init is 'weights', and is left out if not"
            elif wanted is not None and wanted not in self.fetch_weights:
                yield f"{where}.weights names '{wanted}', which is no section of fetch_weights"
            elif wanted is not None and self.fetch_weights[wanted].model_size != options.model_size:
                size = self.fetch_weights[wanted].model_size
                yield f"{where}.model_size is '{options.model_size}', and fetch_weights.{wanted} has weights of '{size}'"

    def _models_begin(self) -> Iterator[str]:
        expected = begins(self.train_classifier, self.models)
        for model in sorted({*expected, *self.initialise.models}):
            if model not in self.models:
                yield f"initialise.models names '{model}', which models does not: delete it there, or add it to models"
            elif self.initialise.models.get(model) != expected[model]:
                yield f"initialise.models must say what '{model}' begins from: `{model}: {{begin: {expected[model].begin}}}`"

    def _classifiers_can_be_trained(self) -> Iterator[str]:
        hearing = {f"train_classifier.{name}": options for name, options in self.train_classifier.items()}
        for where, options in {"pretrain": self.pretrain, **hearing}.items():
            for variant in options.variants:
                if variant not in self.variants:
                    yield f"{where}.variants names '{variant}', which augment.variants does not; {nearest(variant, self.variants)}"
            for corpus in options.corpora or ():
                if corpus not in self.pooled:
                    yield f"{where}.corpora names '{corpus}', which is not in pooled"
            if isinstance(options, FinEnsemble) and (options.arm == "librosa") == bool(options.fins):
                yield f"{where}.fins must be [] in the arm `librosa`, and name a feature in the others"

    def _fusions_have_members(self) -> Iterator[str]:
        for name, options in self.fuse_classifiers.items():
            heard = {frozenset(self.train_classifier[member].corpora or self.pooled) for member in options.members}
            if len(heard) > 1:
                yield f"fuse_classifiers.{name}.members are trained and tested on different corpora"

    def _pairs_can_be_compared(self) -> Iterator[str]:
        for pair, times in Counter(self.summarise.pairs).items():
            first, second = (self.corpora_of(name) for name in pair)
            if pair[0] == pair[1]:
                yield f"summarise.pairs compares '{pair[0]}' with itself"
            elif times > 1:
                yield f"summarise.pairs names '{pair[0]}' against '{pair[1]}' twice"
            elif first != second:
                yield (
                    f"summarise.pairs compares '{pair[0]}' and '{pair[1]}', which are tested on different corpora: "
                    f"{', '.join(sorted(first))}; {', '.join(sorted(second))}"
                )

    def corpora_of(self, model: str) -> frozenset[str]:
        """Corpora that a classifier, or the members of a fusion, learn from and are tested on."""
        section = self.fuse_classifiers[model].members[0] if model in self.fusions else model
        return frozenset(self.train_classifier[section].corpora or self.pooled)

    def settings_of_fin(self, feature: Feature) -> dict[str, Any]:
        """What the training of a FIN follows, but for its front end: the keys, as JSON has them; its config.json has them as options."""
        data, section = self.train_fin.data, getattr(self.train_fin, feature)
        return {
            "augment.variants": list(self.augment.variants),
            "label": self.label.model_dump(mode="json"),
            "seed": self.seed,
            "train_fin.data": data.model_dump(mode="json"),
            f"train_fin.{feature}": section.model_dump(mode="json"),
        }

    def settings_of_trunk(self, trunk: str) -> dict[str, Any]:
        """What the pretraining of a trunk follows, likewise."""
        return {
            "pooled": list(self.pooled),
            "pretrain": self.pretrain.model_dump(mode="json", exclude={"trunks"}),
            "seed": self.seed,
            f"train_classifier.{trunk}": self.train_classifier[trunk].model_dump(mode="json"),
        }

    def n_folds(self, protocol: Protocol) -> int:
        """Folds of a protocol's split: ``split.folds``, but under cross_corpus one per corpus that classifiers learn from."""
        return len(self.pooled) if protocol == "cross_corpus" else self.split.folds

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Rows of every clip in data/shards: the original, and what ``augment.variants`` names."""
        return ("original", *self.augment.variants)

    @property
    def unseen_corpora(self) -> tuple[CorpusName, ...]:
        """Corpora that no FIN is trained on."""
        return tuple(corpus for corpus in self.corpora if corpus not in self.train_fin.data.corpora)


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate params.yaml.

    Raises
    ------
    FinserError
        The file is missing, is no YAML, or breaks the schema: a line per offending key says what was expected and what was found.
        Keys and values come first; what sections say of one another is checked when these are right.
    """
    values = read(path)
    params = validate(values, path)
    missing = [_absent(key, path) for key in _missing(params, values)]
    if missing:
        raise FinserErrors(missing)
    return params


def read(path: Path = Path("params.yaml")) -> dict[str, Any]:
    """The values of a YAML file, as DVC reads them: YAML 1.2, by the same reader with the same settings.

    ``1e-3`` is a float, ``036`` is 36, ``yes`` and ``on`` are text, and merge keys (``<<: *name``) are filled in. The values are
    dictionaries with text as keys, lists, text, integers, floats, booleans and None.

    Raises
    ------
    FinserError
        The file cannot be read, is no YAML, holds a key twice or a date; one line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do="run in the project's root, or write one: finser preset demo") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FinserError(f"cannot be read ({why(error)})", where=path) from None
    try:
        values = YAML(typ="safe").load(text) or {}  # dvc.utils.serialize.parse_yaml
    except DuplicateKeyError as error:
        key = re.search(r'duplicate (?:merge )?key "(.*?)"', error.problem)
        raise FinserError(f"key '{key[1] if key else '?'}' stands twice, line {error.problem_mark.line + 1}", where=path) from None
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that does not exist
        raise FinserError(f"not YAML ({_reason(error)})", where=path) from None
    if not isinstance(values, dict):
        raise FinserError("holds no keys", where=path, expected="lines such as `seed: 0`", found=_shown(values))
    return _plain(values, (), path)


def _reason(error: Exception) -> str:
    """What is wrong with a YAML text, and in which line."""
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error) or type(error).__name__
    return said if mark is None else f"{said}, line {mark.line + 1}"


def _plain(value: Any, path: tuple[str, ...], where: object) -> Any:
    """The same value without YAML's rarer types, which neither the schema nor dvc.lock knows."""
    if len(path) > DEEPEST:
        raise FinserError(f"{'.'.join(path[:3])} is nested more than {DEEPEST} levels deep, or contains itself", where=where)
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise FinserError(f"the key {_shown(key)} is no text", where=where, do="put it in quotes")
        return {key: _plain(inner, (*path, key), where) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, (*path, str(number)), where) for number, inner in enumerate(value)]
    if value is None or isinstance(value, str | int | float):
        return value
    kind = type(value).__name__
    raise FinserError(f"{'.'.join(path)}: a value of type {kind}", where=where, found=str(value), do="put it in quotes if it is text")


def validate(values: Any, where: object = "params.yaml") -> Params:
    """Turn plain values into :class:`Params`; errors as in :func:`load`."""
    try:
        return Params.model_validate_json(json.dumps(values, default=os.fspath))  # JSON has lists for tuples and text for paths
    except ValidationError as error:
        problems = error.errors()
        deepest = [one for one in problems if not any(_within(other["loc"], one["loc"]) for other in problems)]
        raise FinserErrors([line for problem in deepest for line in _explain(problem, values, where)]) from None


def _missing(section: Section, values: dict, above: str = "") -> Iterator[str]:
    """Keys that a file leaves out: defaults are for presets, a file says everything. Keys without a value may be missing."""
    for name in type(section).model_fields:
        value, key = getattr(section, name), f"{above}{name}"
        if name not in values and value is not None:
            yield key
        elif isinstance(value, Section):
            yield from _missing(value, values[name], f"{key}.")
        elif isinstance(value, dict):
            for item, inner in value.items():
                yield from _missing(inner, values[name][item], f"{key}.{item}.")


def _within(inner: tuple, outer: tuple) -> bool:
    """Whether a complaint is about a part of what another is about, which follows from it: a list is short of what is wrong in it."""
    return len(inner) > len(outer) > 0 and inner[: len(outer)] == outer


def _absent(key: str, where: object) -> FinserError:
    return FinserError(f"key '{key}' is missing", where=where, do="add it: docs/params.md has its default")


def _explain(problem: dict, values: Any, where: object) -> list[FinserError]:
    """One of pydantic's complaints as a line, or as several where a validator found several things at once."""
    said = problem["msg"].removeprefix("Value error, ")  # pydantic's word for a validator's own message
    if not problem["loc"]:
        return [FinserError(line, where=where) for line in said.splitlines()]
    return [_explain_key(problem, said, values, where)]


def _explain_key(problem: dict, said: str, values: Any, where: object) -> FinserError:
    path = [part for part in _without_tag(problem["loc"]) if part != "[key]"]
    key = ".".join(map(str, path))
    if problem["type"] == "extra_forbidden":
        return FinserError(f"unknown key '{key}'", where=where, do=nearest(str(path[-1]), _keys_beside(path, values)))
    if problem["type"] == "missing" and isinstance(path[-1], int):
        return FinserError(f"{'.'.join(map(str, path[:-1]))}: too short", where=where, expected="one more", found=_shown(problem["input"]))
    if problem["type"] == "missing":
        return _absent(key, where)
    if problem["type"].startswith("union_tag"):
        tag = problem["ctx"]["discriminator"].strip("'")
        known = KINDS if tag == "model" else SOURCES
        found = problem["input"].get(tag) if isinstance(problem["input"], dict) else problem["input"]
        return FinserError(f"{key}: no such {tag}", where=where, expected=f"{tag}: one of {', '.join(known)}", found=repr(found))
    if problem["type"] == "literal_error" and isinstance(problem["input"], str):
        known = re.findall(r"'(\w+)'", problem["ctx"]["expected"])
        return FinserError(f"{key}: unknown name", where=where, found=repr(problem["input"]), do=nearest(problem["input"], known))
    if problem["type"] == "literal_error":
        return FinserError(f"{key}: unknown value", where=where, expected=problem["ctx"]["expected"], found=_shown(problem["input"]))
    if problem["type"] == "too_short":
        return FinserError(f"{key}: empty", where=where, expected="a list of one or more")
    if problem["type"] in EXPECTED:
        return FinserError(f"{key}: wrong type", where=where, expected=EXPECTED[problem["type"]], found=_shown(problem["input"]))
    found = problem["input"] if not isinstance(problem["input"], dict) else None
    return FinserError(f"{key}: {said}", where=where, found=None if found is None else repr(found))


def _shown(value: Any) -> str:
    """A value of a YAML file in words, with its type where the spelling does not tell."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"{value!r} (text)"
    return "a section" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)


def _without_tag(location: tuple) -> list:
    """Pydantic names the chosen kind of a source or a classifier as if it were a key below its name."""
    return [part for place, part in enumerate(location) if not (place == 2 and location[0] in ("fetch", "train_classifier"))]


def _keys_beside(path: list, values: Any) -> list[str]:
    """The keys that the schema knows where the last part of `path` stands."""
    model: Any = Params
    for place, part in enumerate(path[:-1]):
        if place == 1 and path[0] in ("fetch", "train_classifier"):
            kinds, tag = (SOURCES, "source") if path[0] == "fetch" else (KINDS, "model")
            model = kinds[values[path[0]][part][tag]]
        elif place == 0 and part in ("fetch", "train_classifier") and len(path) == 2:
            return list(get_args(CorpusName)) if part == "fetch" else list(KINDS)
        elif get_origin(model) is dict:  # sections with names of one's own: fetch_weights, fuse_classifiers, initialise.models
            model = get_args(model)[1]
        elif part in getattr(model, "model_fields", {}):
            annotation = model.model_fields[part].annotation
            model = annotation if annotation is not None else model
    return list(getattr(model, "model_fields", {}))


def json_schema() -> dict:
    """JSON schema of params.yaml, for editors."""
    return Params.model_json_schema()


def dump(params: Params) -> str:
    """params.yaml as text: every key, with its meaning as a comment."""
    head = (
        "# yaml-language-server: $schema=docs/params.schema.json\n"
        "# Every scientific choice, once; one section per stage. Written by `finser preset`, edited by you, explained in docs/params.md.\n"
    )
    return head + "\n".join(_dump_section(params, 0)) + "\n"


def _dump_section(section: Section, depth: int) -> list[str]:
    pad, lines = "  " * depth, []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if value is None:
            continue
        comment = f"  # {field.description}" if field.description else ""
        if isinstance(value, Section):
            doc = (type(value).__doc__ or "").strip().splitlines()[0]
            lines += ([""] if depth == 0 else []) + [f"{pad}{name}:  # {doc}", *_dump_section(value, depth + 1)]
        elif isinstance(value, dict):
            lines += ([""] if depth == 0 else []) + [f"{pad}{name}:{'' if value else ' {}'}{comment}"]
            for key, item in value.items():
                lines += [f"{pad}  {key}:", *_dump_section(item, depth + 2)]
        else:
            lines.append(f"{pad}{name}: {_scalar(value)}{comment}")
    return lines


def _scalar(value: Any) -> str:
    """A value as :func:`read` reads it: text that looks like a number stands in quotes."""
    plain = _listed(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    yaml, text = YAML(typ="safe"), io.StringIO()
    yaml.default_flow_style, yaml.width, yaml.allow_unicode = True, 10_000, True
    yaml.dump(plain, text)
    return text.getvalue().removesuffix("...\n").strip("\n")


def _listed(values: tuple) -> list:
    return [_listed(value) if isinstance(value, tuple) else value for value in values]
