"""Sections `train_front_end` and `train_fin`: feature imitating networks."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from finser.config.base import CorpusName, Count, DecibelRange, LearningRate, Probability, Section


class TrainFrontEnd(Section):
    """The learnable three-stage transform that chroma, mel and MFCC share, trained on the STFT of noise frames."""

    init: Literal["random", "closed_form"] = Field("random", description="closed_form: the DFT itself, without training; recorded as such")
    adam_steps: int = Field(2000, ge=1, description="steps of Adam, each on new noise frames")
    batch_size: Count = Field(16, description="noise frames per step")
    learning_rate: LearningRate = Field(0.02, description="of Adam; decays by 3.5 decades over the last four fifths of adam_steps")
    target_db: float = Field(-100.0, lt=0, description="dB error on held-out noise frames at which training stops early")


class Disturbance(Section):
    """Random changes of the training frames; the targets are librosa's features of the changed frames."""

    gain_db: float = Field(20.0, ge=0, le=60, description="every frame is scaled by U(-gain_db, gain_db) dB")
    noise: Probability = Field(0.3, description="fraction of the frames with added white noise")
    noise_snr_db: DecibelRange = Field((-10.0, 60.0), description="SNR of this noise in dB, uniform between the two")
    origin_16k: Probability = Field(0.25, description="fraction of the frames without anything above 8 kHz, as if recorded at 16 kHz")
    origin_8k: Probability = Field(0.12, description="fraction of the frames without anything above 4 kHz, as if recorded at 8 kHz")

    @model_validator(mode="after")
    def _possible(self) -> "Disturbance":
        if self.origin_16k + self.origin_8k > 1:
            raise ValueError("origin_16k and origin_8k together are more than all frames")
        return self


class FinData(Section):
    """Corpora, fold and augmentation of the frames that FINs are trained on; all other corpora are unseen."""

    corpora: tuple[CorpusName, ...] = Field(
        ("esd",),
        min_length=1,
        description="corpora to train and test FINs on; if they are also in `pooled`, FINs are trained on test speakers of other folds",
    )
    fold: Count = Field(
        1, description="fold of the FINs' own split by speaker (data/splits/fins.parquet), made like that of the protocol `speaker`"
    )
    disturbance: Disturbance = Disturbance()
    validation_frames: Count = Field(4_000, ge=2, description="validation frames, evenly spread over the validation clips")


class FinSection(Section):
    """Training of one FIN."""

    steps: Count = Field(3000, description="maximum number of steps, over which the learning rate decays")
    patience: Count = Field(4, description="checks (ten per training) without a better validation R2 before training stops early")
    batch_size: Count = 64
    learning_rate: LearningRate = Field(0.02, description="of Adam; decays by 3 decades over the last four fifths of the steps")


class TrainFin(Section):
    """Feature imitating networks: a raw frame in, librosa's feature out."""

    in_files: ClassVar[tuple[str, ...]] = ("data", "rms", "zcr", "chroma", "mel", "mfcc")

    data: FinData = FinData()
    rms: FinSection = FinSection(steps=1000, batch_size=64, learning_rate=0.02)
    zcr: FinSection = FinSection(steps=4000, batch_size=16, learning_rate=0.02)
    chroma: FinSection = FinSection(steps=3000, batch_size=64, learning_rate=0.05)
    mel: FinSection = FinSection(steps=1500, batch_size=128, learning_rate=0.005)
    mfcc: FinSection = FinSection(steps=3000, batch_size=64, learning_rate=0.2)
