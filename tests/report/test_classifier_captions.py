"""Captions of the section *Emotion* that depend on the settings of a classifier."""

from types import SimpleNamespace
from typing import get_args

import pytest

from finser.config.sections.classifiers import Svm
from finser.report.classifier_captions import _baseline


@pytest.mark.parametrize("name", get_args(Svm.model_fields["representation"].annotation))
def test_the_caption_names_what_the_baseline_reads(name):
    params = SimpleNamespace(classifiers={"svm": Svm(representation=name)})
    words = {
        "statistics": "summary statistics of MFCC",
        "egemaps": "functionals of eGeMAPSv02",
        "compare_2016": "functionals of ComParE_2016",
    }
    assert words[name] in _baseline(SimpleNamespace(params=params, baseline="svm"))


def test_without_a_baseline_the_caption_names_none():
    assert _baseline(SimpleNamespace(params=SimpleNamespace(classifiers={}), baseline=None)) == ""
