"""Inputs of networks, parts of the sections of classifiers: log-mel spectrograms, and the augmentation of spectrograms and samples."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from finser.config.base import FloatRange, Probability, Section, SpeedRange, whole


class LogMel(Section):
    """Log-mel spectrograms, computed from the label rows."""

    bands: Annotated[Literal[32, 64, 128], BeforeValidator(whole)] = Field(64, description="mel bands: librosa's 128, averaged in groups")
    trim_db: float = Field(
        30.0, ge=0, le=100, description="trim leading and trailing frames this many dB below the loudest frame; 0: no trimming"
    )
    range_db: float = Field(
        0.0, ge=0, le=100, description="raise cells this many dB below the clip's loudest to that level, which hides its noise; 0: none"
    )
    center: Literal["clip", "cmn"] = Field("clip", description="subtract the clip's mean: over all bands (clip), or per band (cmn)")
    crop_frames: int = Field(96, ge=16, description="training clips are cropped or padded to this number of frames")


class SampleAugment(Section):
    """Random changes of samples, drawn anew for every training clip in every epoch."""

    speed_fraction: Probability = Field(0.6, description="fraction of the clips resampled in time: speed, pitch and formants change")
    speed: SpeedRange = Field((0.85, 1.17), description="factor, log-uniform between the two")
    noise_fraction: Probability = Field(0.3, description="fraction of the clips with white noise")
    noise_db: FloatRange = Field((10.0, 40.0), description="dB below the power of the clip; uniform between the two")
    band_masks: int = Field(
        2,
        ge=0,
        description="byol_s alone: number of frequency masks; "
        "wav2vec2, hubert, wavlm and data2vec mask as their config.json says, and whisper has no masks",
    )
    band_width: int = Field(8, ge=0, description="maximum width in bands")
    time_masks: int = Field(2, ge=0, description="byol_s alone: number of time masks")
    time_width: int = Field(40, ge=0, description="maximum width in frames of 10 ms")


class SpectrogramAugment(Section):
    """Random changes, drawn anew for every training clip in every epoch."""

    speed_fraction: Probability = Field(0.6, description="fraction of the clips resampled in time: speed, pitch and formants change")
    speed: SpeedRange = Field((0.85, 1.17), description="factor, log-uniform between the two")
    noise_fraction: Probability = Field(0.3, description="fraction of the clips with white noise")
    noise_db: FloatRange = Field(
        (22.0, 57.0), description="dB below the loudest cell of the whole clip, before the change of speed; uniform between the two"
    )
    band_masks: int = Field(2, ge=0, description="SpecAugment: number of frequency masks")
    band_width: int = Field(8, ge=0, description="maximum width in bands")
    time_masks: int = Field(2, ge=0, description="SpecAugment: number of time masks")
    time_width: int = Field(16, ge=0, description="maximum width in frames")
