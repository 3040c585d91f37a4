"""Section `augment`: the variants of every clip."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from finser.config.base import DecibelRange, Made, SecondsRange, Section


class Noise(Section):
    """White Gaussian noise, as in the published experiment."""

    amplitude: float = Field(0.035, gt=0, le=1, description="noise sd = amplitude x U(0, 1) x peak of the clip")


class NoiseSnr(Section):
    """White Gaussian noise at a signal-to-noise ratio."""

    snr_db: DecibelRange = Field((5.0, 25.0), description="dB, uniform between the two; equal limits fix the value")


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
    drr_db: DecibelRange = Field((0.0, 12.0), description="direct-to-reverberant energy ratio in dB, uniform between the two")


class Gain(Section):
    """Louder or softer; a clip that would exceed full scale is scaled down as a whole."""

    db: DecibelRange = Field((-20.0, 6.0), description="dB, uniform between the two")


class BandLimit(Section):
    """Resampled to a lower rate and back."""

    sr: int = Field(8000, ge=2000, lt=22050, description="the lower rate in Hz; frequencies above half of it are removed")


class Babble(Section):
    """Recordings of other speakers of the same corpus as noise (docs/augmentation.md: these may be test speakers)."""

    talkers: int = Field(4, ge=1, le=20, description="number of clips mixed in, each of another speaker if there are enough speakers")
    snr_db: DecibelRange = Field((5.0, 20.0), description="SNR of the clip over the sum of the talkers in dB, uniform between the two")


class NoiseFile(Section):
    """Recordings of noise from a folder: ESC-50, or any .wav files in it and its subfolders; local.yaml has its path."""

    snr_db: DecibelRange = Field((0.0, 20.0), description="SNR of the clip over the noise in dB, uniform between the two")


class Augment(Section):
    """Variants of every clip, stored beside the original (docs/augmentation.md)."""

    in_files: ClassVar[tuple[str, ...]] = ("variants",)

    variants: tuple[Made, ...] = Field(("noise", "speed_pitch"), description="variants of every clip, in this order after the original")
    noise: Noise = Noise()
    noise_snr: NoiseSnr = NoiseSnr()
    speed_pitch: SpeedPitch = SpeedPitch()
    reverberation: Reverberation = Reverberation()
    gain: Gain = Gain()
    band_limit: BandLimit = BandLimit()
    babble: Babble = Babble()
    noise_file: NoiseFile = NoiseFile()

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Augment":
        if len(set(self.variants)) < len(self.variants):
            raise ValueError(f"variants names something twice: {', '.join(self.variants)}")
        return self
