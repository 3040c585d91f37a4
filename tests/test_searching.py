"""The search for hyperparameters in docs/classifiers.md, as it is printed there."""

import re

import pytest

from finser.layout import training_time
from finser.project.graph import Graph

TEST_FIGURES = (
    "uar",
    "wa",
    "f1_macro",
    "uar_ci_low",
    "wa_ci_high",
    "ece",
    "nll_scaled",
    "temperature",
    "noise.white.20",
    "n_test",
    "ms_per_clip",
)
VARIED = "train_classifier.small_cnn.learning_rate"


@pytest.fixture(scope="module")
def command(pytestconfig) -> str:
    text = (pytestconfig.rootpath / "docs" / "classifiers.md").read_text()
    return re.search(r"^dvc exp show (.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("prefix", ["", f"{training_time('train_classifier', 'small_cnn', 'speaker', 1, 0)}:"], ids=["one file", "several"])
def test_the_table_shows_what_was_varied_and_the_validation_figure_alone(command, prefix):
    """DVC gives a column its file's name where several files have such a figure, and drops those that ``re.match`` finds."""
    dropped = re.compile(re.search(r"--drop '(.*?)'", command)[1])
    others = ["Created", "State", "Executor", "data/shards", "src/finser/classifiers", "models/classifiers/small_cnn/speaker/1", "seed"]
    times = "results/timing/train_classifier/small_cnn/speaker/1/0.json:seconds_train"
    columns = ["Experiment", VARIED, times, *others, *(prefix + name for name in (*TEST_FIGURES, "validation_uar"))]
    assert [column for column in columns if not dropped.match(column)] == ["Experiment", VARIED, f"{prefix}validation_uar"]


def test_the_table_is_sorted_by_the_validation_figure(command):
    assert f"--sort-by {training_time('train_classifier', 'small_cnn', 'speaker', 1, 0)}:validation_uar" in command


def test_no_experiment_evaluates(pytestconfig, monkeypatch):
    """Nothing that the search's target needs reads a test part."""
    monkeypatch.chdir(pytestconfig.rootpath)
    text = (pytestconfig.rootpath / "docs" / "classifiers.md").read_text()
    (target,) = re.findall(r"^dvc exp run --queue .* (\S+)$", text, re.MULTILINE)
    graph = Graph()
    needed, todo = set(), [target]
    jobs = {graph.address(name, item): (name, item) for name in graph.stages for item in graph.items(name)}
    while todo:
        needed.add(job := todo.pop())
        todo += {graph.makers[dep] for dep in graph.deps(*jobs[job]) if dep in graph.makers} - needed
    assert "label@ravdess" in needed and not [job for job in needed if job.startswith(("evaluate_", "fuse_", "report"))]
