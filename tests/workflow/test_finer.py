"""What reruns when: after one edit exactly the jobs run whose code, parameters or input bytes changed."""

import re

RESULTS = ["report", "summarise"]


def edit(project, path: str, old: str, new: str) -> None:
    """Replace the single occurrence of a text in a file of the project."""
    text = (project.root / path).read_text()
    assert text.count(old) == 1, f"{path}: {old}"
    (project.root / path).write_text(text.replace(old, new))


def models(project) -> list[str]:
    return project.get("models")


def append(project, path: str, text: str) -> None:
    with (project.root / path).open("a") as file:
        file.write(text)


def ran_by_dvc(project) -> list[str]:
    return project.ran_by(lambda: project.dvc("repro", "-q"))


def test_edits_that_train_nothing(project):
    """A docstring, the code that adds noise, the synthesiser and a template: each runs its own stage, whose bytes stay as they were."""
    kind = project.root / "src/finser/models/svm.py"
    kind.write_text(re.sub('"""', '"""Other words: ', kind.read_text(), count=1))
    append(project, "src/finser/features/noisy.py", "\n\nUNUSED = 1\n")
    append(project, "src/finser/synthetic/sentences.py", "\n# a comment\n")
    append(project, "src/finser/report/report.md.jinja", "\nThe end.\n")
    assert ran_by_dvc(project) == ["fetch@ravdess", "noisy@speaker-1", "prepare_classifier@svm", "report"]
    project.assert_clean()


def test_the_code_of_a_kind_trains_that_kind_alone(project):
    append(project, "src/finser/models/svm.py", "\n\nUNUSED = 1\n")
    jobs = ["prepare_classifier@svm", "train_classifier@svm-speaker-1-0", "evaluate_classifier@svm-speaker-1", *RESULTS]
    assert ran_by_dvc(project) == sorted(jobs)


def test_a_corpus_beside_the_pool_trains_nothing(project):
    project.set("corpora", ["ravdess", "savee"])
    project.set("fetch.savee", {"source": "synthetic", "speakers": 3, "clips_per_emotion": 1})
    ran = ran_by_dvc(project)
    prepared = [f"{stage}@savee" for stage in ("fetch", "index", "resample", "augment", "label")]
    tested = [f"evaluate_fin@{feature}" for feature in ("rms", "zcr", "chroma", "mfcc", "mel")]
    assert ran == sorted([*prepared, *tested, "evaluate_compared", "pool", "split@speaker", "split_fins", *RESULTS])
    project.assert_clean()


def test_a_classifier_added_is_the_only_one_that_trains(project):
    values = project.get("train_classifier")
    project.set("train_classifier", {**values, "svm_half": {"model": "svm", "speakers": 0.5}})
    project.set("models", [*models(project), "svm_half"])
    jobs = ["prepare_classifier@svm_half", "train_classifier@svm_half-speaker-1-0", "evaluate_classifier@svm_half-speaker-1", *RESULTS]
    assert ran_by_dvc(project) == sorted(jobs)
    project.assert_clean()


def test_the_first_seed_removed_trains_only_what_draws_nothing_again(project):
    """Other seeds of the SVM refer to its first one; those of a network are trainings of their own."""
    project.set("seeds", [0, 1])
    ran_by_dvc(project)
    project.set("seeds", [1])
    evaluated = [f"evaluate_classifier@{model}-speaker-1" for model in models(project)]
    assert ran_by_dvc(project) == sorted([*evaluated, "prepare_classifier@svm", "train_classifier@svm-speaker-1-1", *RESULTS])
    project.assert_clean()


def test_a_library_of_one_kind_trains_that_kind_alone(project):
    """Only the SVM imports scikit-learn; libraries.yaml names another version, as after an upgrade, that is not installed."""
    edit(project, "workflow/libraries.yaml", 'scikit-learn: "', 'scikit-learn: "0.')
    stale = project.dvc("status").stdout
    found = set(re.findall(r"^(\w+)@?[\w-]*:$", stale, flags=re.MULTILINE))
    assert found == {"prepare_classifier", "prepare_fine_tuning"}, stale
