"""What reruns when: after one edit exactly the jobs run whose code, parameters or input bytes changed."""

import re

import pytest

pytestmark = pytest.mark.xdist_group("workflow")
RESULTS = ["report", "summarise"]


def edit(project, path: str, old: str, new: str) -> None:
    """Replace the single occurrence of a text in a file of the project."""
    text = (project.root / path).read_text()
    assert text.count(old) == 1, f"{path}: {old}"
    (project.root / path).write_text(text.replace(old, new))


def models(project) -> list[str]:
    return project.get("models")


def test_a_docstring_of_a_kind_trains_nothing(project):
    """The stage that digests the kind's code runs, and finds the code as it was."""
    text = (project.root / "src/finser/models/svm.py").read_text()
    (project.root / "src/finser/models/svm.py").write_text(re.sub('"""', '"""Other words: ', text, count=1))
    assert project.ran_by(project.snakemake) == ["prepare_classifier@svm"]
    project.assert_clean()


def test_the_code_of_a_kind_trains_that_kind_alone(project):
    path = project.root / "src/finser/models/svm.py"
    path.write_text(path.read_text() + "\n\nUNUSED = 1\n")
    jobs = ["prepare_classifier@svm", "train_classifier@svm-speaker-1-0", "evaluate_classifier@svm-speaker-1", *RESULTS]
    assert project.ran_by(project.snakemake) == sorted(jobs)


def test_the_code_that_adds_noise_trains_nothing(project):
    path = project.root / "src/finser/features/noisy.py"
    path.write_text(path.read_text() + "\n\nUNUSED = 1\n")
    assert project.ran_by(project.snakemake) == ["noisy@speaker-1"], "tiny asks for no noise: the bytes are the same"


def test_the_synthesiser_makes_the_corpus_again_and_the_same_bytes_end_it(project):
    path = project.root / "src/finser/synthetic/sentences.py"
    path.write_text(path.read_text() + "\n# a comment\n")
    assert project.ran_by(project.snakemake) == ["fetch@ravdess"]


def test_a_template_of_the_report_writes_the_report(project):
    path = project.root / "src/finser/report/report.md.jinja"
    path.write_text(path.read_text() + "\nThe end.\n")
    assert project.ran_by(project.snakemake) == ["report"]


def test_a_corpus_beside_the_pool_trains_nothing_that_is_used(project):
    project.set("corpora", ["ravdess", "savee"])
    project.set("fetch.savee", {"source": "synthetic", "speakers": 3, "clips_per_emotion": 1})
    ran = project.ran_by(project.snakemake)
    prepared = [f"{stage}@savee" for stage in ("fetch", "index", "resample", "augment", "label")]
    tested = [f"evaluate_fin@{feature}" for feature in ("rms", "zcr", "chroma", "mfcc", "mel")]
    compared = ["compare_fin@rms-closed_form-0", "reference_fin@rms-0"]  # they train and are tested on unseen corpora in one job
    assert ran == sorted([*prepared, *tested, *compared, "pool", "split@speaker", "split_fins", *RESULTS])
    project.assert_clean()


def test_a_classifier_added_is_the_only_one_that_trains(project):
    values = project.get("train_classifier")
    project.set("train_classifier", {**values, "svm_half": {"model": "svm", "speakers": 0.5}})
    project.set("models", [*models(project), "svm_half"])
    jobs = ["prepare_classifier@svm_half", "train_classifier@svm_half-speaker-1-0", "evaluate_classifier@svm_half-speaker-1", *RESULTS]
    assert project.ran_by(project.snakemake) == sorted(jobs)
    project.assert_clean()


def test_a_library_of_one_kind_trains_that_kind_alone(project):
    """Only the SVM imports scikit-learn; libraries.yaml names another version, as after an upgrade, that is not installed."""
    edit(project, "workflow/libraries.yaml", 'scikit-learn: "', 'scikit-learn: "0.')
    stale = project.dvc("status").stdout
    found = set(re.findall(r"^(\w+)@?[\w-]*:$", stale, flags=re.MULTILINE))
    assert found == {"prepare_classifier", "prepare_fine_tuning"}, stale
