"""What a new stage and a new kind of classifier touch: at most three files each. Commands, rules, logs and the docs' table follow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import Project, copy_of_the_source

STEP = '''"""How many corpora there are, as an example of a stage."""

from pathlib import Path

from finser.config.params import Params
from finser.files import write_json


def count_corpora(params: Params, protocol: str) -> None:
    """Count the corpora of a protocol."""
    write_json(Path(f"results/counts/{protocol}.json"), {"corpora": len(params.corpora)})
'''
STAGE = """
  count_corpora:
    matrix: {protocol: "${protocols}"}
    desc: Count the corpora of ${item.protocol}
    meta: {step: summary.counting, runtime: 5}
    cmd: workflow/finser count_corpora ${item.protocol}
    deps: [src/finser/summary/counting.py]
    params: [corpora, {workflow/libraries.yaml: []}]
    metrics: ["results/counts/${item.protocol}.json"]
"""
KIND = '''"""One linear layer on statistics of MFCC, as an example of a kind of classifier."""

from finser.config.sections.classifiers import KINDS
from finser.features.rows import Reader
from finser.features.statistics import N_MFCC_STATISTICS, mfcc
from finser.models.mlp import MlpClassifier, Perceptron


def reader(options: KINDS["linear"]) -> Reader:
    """Statistics of MFCC and deltas."""
    return mfcc()


def begin(options: KINDS["linear"], n_classes: int) -> MlpClassifier:
    """A layer of random weights."""
    return MlpClassifier(Perceptron(n_classes, N_MFCC_STATISTICS, (), options.dropout), options)
'''
SCHEMA = '''class Linear(Network):
    """One linear layer on statistics of MFCC."""

    on_gpu: ClassVar[bool] = False
    model: Literal["linear"] = "linear"

    @property
    def reads(self) -> tuple[str, ...]:
        """Statistics."""
        return ("statistics",)


AnyClassifier ='''


@pytest.fixture
def fresh(tmp_path) -> Project:
    """The project as it is, with the preset `tiny`, committed."""
    project = copy_of_the_source(tmp_path / "project")
    project.run("finser", "preset", "tiny")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "before")
    return project


def touched(project: Project) -> list[str]:
    """Files that differ from those of the fixture."""
    return sorted(line[3:] for line in project.run("git", "status", "--porcelain", "-uall").stdout.splitlines())


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def pass_the_tests_of_the_shape(project: Project) -> None:
    """Imports, dependencies, commands and functions, of the copy's code by the copy's tests."""
    environment = {**os.environ, "PYTHONPATH": str(project.root / "src")}
    tests = ["tests/test_architecture.py", "tests/project/test_stages.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_stage_touches_two_files(fresh):
    with (fresh.root / "dvc.yaml").open("a") as table:
        table.write(STAGE)
    (fresh.root / "src/finser/summary/counting.py").write_text(STEP)
    fresh.run(
        "python", "-m", "finser.tools.closures", env={"PYTHONPATH": str(fresh.root / "src")}
    )  # writes the code that stages depend on into dvc.yaml
    assert touched(fresh) == ["dvc.yaml", "src/finser/summary/counting.py"]
    assert "count_corpora@speaker" in fresh.dvc("stage", "list", "--name-only").stdout
    assert "Count the corpora of PROTOCOL" in fresh.run("finser", "count_corpora", "--help").stdout
    dry = fresh.run("snakemake", "-n", "results/counts/speaker.json")
    assert "Count the corpora of speaker" in dry.stdout + dry.stderr
    assert fresh.ran_by(lambda: fresh.run("snakemake", "--cores", "1", "results/counts/speaker.json")) == ["count_corpora@speaker"]
    assert json.loads((fresh.root / "results/counts/speaker.json").read_text()) == {"corpora": 1}
    assert (fresh.root / "logs/count_corpora/speaker.log").exists() and (fresh.root / "logs/benchmarks/count_corpora/speaker.tsv").exists()
    fresh.run("python", "workflow/lint.py")
    fresh.run("finser", "schema")  # the table in docs/architecture.md
    pass_the_tests_of_the_shape(fresh)


def test_a_kind_of_classifier_touches_three_files(fresh):
    (fresh.root / "src/finser/models/linear.py").write_text(KIND)
    (schema,) = [path for path in (fresh.root / "src/finser/config").rglob("*.py") if "\nKINDS: dict" in path.read_text()]
    replace(schema, "AnyClassifier =", SCHEMA)
    replace(schema, "Svm | Mlp |", "Svm | Mlp | Linear |")
    replace(schema, '    "mlp": Mlp,\n', '    "mlp": Mlp,\n    "linear": Linear,\n')
    values = yaml.safe_load((fresh.root / "params.yaml").read_text())
    values["models"].append("linear")
    values["train_classifier"]["linear"] = {"model": "linear"}
    (fresh.root / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert touched(fresh) == ["params.yaml", str(schema.relative_to(fresh.root)), "src/finser/models/linear.py"]
    assert "linear" in fresh.run("finser", "check").stdout
    assert "train_classifier@linear-speaker-1-0" in fresh.dvc("stage", "list", "--name-only").stdout
    dry = fresh.run("snakemake", "-n", "results/report.md")
    assert "Train linear on fold 1 of speaker, seed 0" in dry.stdout + dry.stderr
    imports = "from finser import models; from finser.config.sections.classifiers import KINDS"
    code = f"{imports}; print(models.begin(KINDS['linear'](), (0,), 8).n_params)"
    assert int(python(fresh, code)) > 1000
    fresh.run("finser", "schema")  # docs/params.md
    python(fresh, "from finser.tools.closures import main; main()")  # dvc.yaml: this kind imports the module of another one
    pass_the_tests_of_the_shape(fresh)


def python(project: Project, code: str) -> str:
    """What the copy's code prints."""
    return project.run("python", "-c", code, env={"PYTHONPATH": str(project.root / "src")}).stdout
