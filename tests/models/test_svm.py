"""The stored SVM predicts as scikit-learn's does."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from finser.config.sections.classifiers import Svm
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.features.examples import Examples
from finser.models.rbf_svm import SvmClassifier


def examples(classes: list[int], n: int = 240, dim: int = 12) -> Examples:
    rng = np.random.default_rng(len(classes))
    targets = rng.choice(classes, n)
    inputs = rng.normal(size=(n, dim)) * rng.uniform(0.1, 100, dim) + 2 * rng.normal(size=(8, dim))[targets]
    ids = [str(i) for i in range(n)]
    return Examples("train", ids, ["s"] * n, ["original"] * n, targets.astype(np.int64), list(inputs.astype(np.float32)), EMOTIONS)


@pytest.mark.parametrize("classes", [list(range(8)), [0, 2, 7], [1, 4]])
def test_stored_svm_equals_scikit_learn(classes, tmp_path):
    data = examples(classes)
    fitted, stored = SvmClassifier(Svm(c=3.0), 8), SvmClassifier(Svm(c=3.0), 8)
    (record,) = fitted.solve(data, data).history
    fitted.save(tmp_path)
    stored.restore(tmp_path)
    oracle = make_pipeline(StandardScaler(), SVC(C=3.0, gamma="scale", break_ties=len(classes) > 2))
    matrix = np.stack(data.inputs).astype(np.float64)
    oracle.fit(matrix, data.targets)
    fresh = examples(classes, 500)
    matrix = np.stack(fresh.inputs).astype(np.float64)
    probabilities = stored.probabilities(fresh.inputs)
    assert np.array_equal(probabilities.argmax(1), oracle.predict(matrix))
    assert probabilities.sum(1) == pytest.approx(1)
    assert not probabilities[:, [c for c in range(8) if c not in classes]].any()
    if len(classes) > 2:
        assert stored.decision_function(matrix) == pytest.approx(oracle.decision_function(matrix), abs=1e-9)
    assert record["validation_wa"] == pytest.approx(oracle.score(np.stack(data.inputs).astype(np.float64), data.targets))
    svc = oracle[-1]
    assert stored.n_params == svc.dual_coef_.size + svc.intercept_.size


def test_constant_columns_and_one_clip_do_no_harm():
    data = examples([0, 1, 2])
    flat = replace(data, inputs=[np.append(row, np.float32(7)) for row in data.inputs])
    svm = SvmClassifier(Svm(c=1.0), 8)
    svm.solve(flat, flat)
    assert np.isfinite(svm.probabilities(flat.inputs[:1])).all()


def test_one_emotion_is_refused():
    data = examples([3])
    with pytest.raises(FinserError, match="two emotions or more"):
        SvmClassifier(Svm(), 8).solve(data, data)
