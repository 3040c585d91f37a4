"""Section `evaluate_classifier`."""

from typing import ClassVar, Literal

from pydantic import Field

from finser.config.base import Count, Decibels, Fraction, Section


class NoiseCurve(Section):
    """Test clips in noise: UAR over the signal-to-noise ratio."""

    kinds: tuple[Literal["white", "babble"], ...] = Field(
        ("white", "babble"), description="white noise, or babble of training speakers; [] for none"
    )
    snr_db: tuple[Decibels, ...] = Field((20.0, 10.0, 5.0, 0.0), min_length=1, description="power of the clip over that of the noise in dB")
    clips: Count = Field(300, description="number of test clips, evenly spread; the classifier of the first seed is tested")


class EvaluateClassifier(Section):
    """WA, UAR and macro-F1 with intervals, calibration, and robustness to noise."""

    in_files: ClassVar[tuple[str, ...]] = ("confidence", "noise")

    confidence: Fraction = Field(0.95, description="coverage of the intervals over test speakers")
    noise: NoiseCurve = NoiseCurve()
