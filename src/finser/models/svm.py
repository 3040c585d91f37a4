"""Baseline: an RBF SVM on summary statistics or openSMILE's functionals of a clip."""

from importlib import import_module

from finser.config.sections.classifiers import Svm
from finser.features.rows import Reader
from finser.features.statistics import summary
from finser.models.rbf_svm import SvmClassifier


def reader(options: Svm) -> Reader:
    """Return the reader of the representation that the options name.

    openSMILE's are imported by name, so that its version concerns no SVM on statistics.
    """
    if options.representation == "statistics":
        return summary()
    return import_module(f"finser.features.{options.representation}").reader()


def begin(options: Svm, n_classes: int) -> SvmClassifier:
    """Return an SVM that is not fitted; its optimum does not depend on initial values."""
    return SvmClassifier(options, n_classes)
