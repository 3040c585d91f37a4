"""The shape of the code: imports run one way, dvc.yaml covers them, paths agree, functions are short, all that is public is documented."""

import ast
import inspect
import re
import statistics
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml

from finser import layout
from finser.config.base import Section
from finser.config.params import Params

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "finser"
HELPERS = {"cards", "config", "emotions", "errors", "files", "layout", "machine", "progress", "project", "seeds", "workers"}
ORDER = [  # of the flow
    "fetching",
    "synthetic",
    "corpora",
    "audio",
    "splits",
    "features",
    "scores",
    "fins",
    "models",
    "training",
    "evaluation",
    "summary",
    "report",
]
UNTANGLE = {  # imports against the flow, which are to go
    "fetching.http": {"corpora.local"},
    "fetching.weights": {"corpora.download", "models.weights.conversion"},
    "audio.augment.changes": {"features.cepstrum"},
    "models.network": {"training.learning"},
    "models.mlp": {"training.learning"},
    "models.fin_ensemble": {"training.learning"},
}
FOR_PEOPLE = ["tools", "cli", "__main__"]  # beside the flow: these may import all of it
STEPS = {
    "fetch": "corpora.fetch",
    "index": "corpora.index",
    "resample": "audio.resample",
    "augment": "audio.augment",
    "label": "features.labels",
    "split": "splits.protocols",
    "train_front_end": "fins.front_end",
    "train_fin": "fins.training",
    "evaluate_fin": "fins.evaluation",
    "compare_fin": "fins.comparison",
    "reference_fin": "fins.comparison",
    "fetch_weights": "fetching.weights",
    "pretrain": "training.pretrain",
    "prepare_classifier": "training.prepare",
    "prepare_fine_tuning": "training.prepare_fine_tuning",
    "train_classifier": "training.train_classifier",
    "evaluate_classifier": "evaluation.evaluate_classifier",
    "fuse_classifiers": "evaluation.fuse_classifiers",
    "summarise": "summary.summarise",
    "report": "report.page",
}
RESULTS_DEPEND_ON = {"seeds", "emotions"}  # the helpers that are dependencies of the stages
LIBRARIES = yaml.safe_load((ROOT / "workflow" / "libraries.yaml").read_text())
IMPORTED_AS = {"scikit-learn": "sklearn", "python-stretch": "python_stretch", "espeakng-loader": "espeakng_loader"}
OTHERS = {  # libraries of a package of which the stage uses another part
    "index": {"espeakng-loader", "scipy"},
    "resample": {"espeakng-loader", "scipy"},
    "augment": {"espeakng-loader"},
    "split": {"espeakng-loader", "scipy", "soundfile", "soxr"},
    "train_front_end": {"pyarrow"},
    "fetch_weights": {"espeakng-loader", "numpy", "scipy", "soundfile", "soxr"},
    "prepare_fine_tuning": {"pyarrow", "soxr"},
    "fuse_classifiers": {"librosa", "lightning", "numba", "soxr", "torch"},
    "report": {"espeakng-loader", "soundfile", "soxr", "torch"},
}
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def modules() -> dict[str, Path]:
    """Dotted name below finser -> file."""
    names = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


def imports(path: Path) -> set[str]:
    """finser modules that a file imports, anywhere in it, as dotted names below finser."""
    known, found = modules(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "finser":
            base = node.module.removeprefix("finser").removeprefix(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".removeprefix(".")
                found.add(full if full in known else base)
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("finser.") for alias in node.names if alias.name.startswith("finser.")}
    return found


def closure(name: str) -> set[str]:
    """A module and all that it imports, directly or not."""
    seen, waiting = set(), [name]
    while waiting:
        current = waiting.pop()
        if current not in seen and current in modules():
            seen.add(current)
            waiting += imports(modules()[current])
    return seen


@pytest.mark.parametrize("name", [name for name in modules() if name])
def test_imports_run_one_way(name):
    top = name.split(".")[0]
    allowed = set(HELPERS) if top not in HELPERS else HELPERS
    if top in FOR_PEOPLE:
        return
    assert top in HELPERS or top in ORDER, f"{name}: give it a place in the order"
    if top in ORDER:
        allowed = HELPERS | set(ORDER[: ORDER.index(top) + 1])
    wrong = {imported for imported in imports(modules()[name]) if imported and imported.split(".")[0] not in allowed}
    assert wrong == UNTANGLE.get(name, set()), f"finser.{name} imports what stands to its right"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_its_own_source(stage):
    """A source that a stage's step imports is a dependency of it, but for the helpers that change no result."""
    body = STAGES[stage].get("do", STAGES[stage])
    listed = [dep for dep in body["deps"] if dep.startswith("src/")]
    for name in closure(STEPS[stage]):
        if name and name.split(".")[0] not in HELPERS - RESULTS_DEPEND_ON:
            path = str(modules()[name].relative_to(ROOT))
            assert any(path == dep or path.startswith(dep + "/") for dep in listed), f"{stage} imports {path}, which is not among its deps"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_follows_the_libraries_that_it_imports(stage):
    """Lists may name more: the modules of one kind of model are imported by name."""
    body = STAGES[stage].get("do", STAGES[stage])
    (listed,) = [entry["workflow/libraries.yaml"] for entry in body["params"] if isinstance(entry, dict)]
    imported = set().union(*(third_party(modules()[name]) for name in closure(STEPS[stage])))
    found = {name for name in LIBRARIES if IMPORTED_AS.get(name, name) in imported}
    assert found - OTHERS.get(stage, set()) <= set(listed) <= set(LIBRARIES) and listed == sorted(listed)


def sections_of(annotation: object) -> set[type[Section]]:
    """Every section that a value of a type can hold, and the classes that it has its keys from."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        own = {kind for kind in annotation.__mro__ if issubclass(kind, Section) and kind is not Section}
        return own.union(*(sections_of(field.annotation) for field in annotation.model_fields.values()))
    return set().union(*map(sections_of, get_args(annotation)))


def followed(key: str) -> set[type[Section]]:
    """The sections below a key that dvc.yaml follows, such as ``fetch.${item.corpus}``."""
    annotations: list = [Params]
    for part in re.sub(r"\$\{[^}]*\}", "*", key).split("."):
        inner = []
        for annotation in annotations:
            fields = getattr(annotation, "model_fields", None)
            named = fields if fields and part == "*" else [part]
            inner += [fields[name].annotation for name in named] if fields else [get_args(annotation)[1]]
        annotations = inner
    return set().union(*map(sections_of, annotations))


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_the_defaults_of_its_sections(stage):
    """A key that a file leaves out has the default of the schema: a change of it is a change of its module."""
    body = STAGES[stage].get("do", STAGES[stage])
    sections = set().union(*(followed(key) for key in body["params"] if isinstance(key, str)))
    files = {str(Path(inspect.getfile(section)).relative_to(ROOT)) for section in sections}
    listed = {dep for dep in body["deps"] if dep.startswith("src/finser/config")}
    assert listed == (files if stage != "report" else {"src/finser/config"}), "the report shows all values"
    assert all(file.startswith("src/finser/config/sections/") for file in files)


def test_files_hold_the_keys_that_stages_follow_and_templates_read():
    """DVC refuses a stage of which a followed key is missing: :attr:`Section.in_files` names them, and no others."""
    text = (ROOT / "dvc.yaml").read_text()
    templates = {key for key in re.findall(r"\$\{([a-z_.]+)\}", text) if not key.startswith(("item.", "key"))}
    named = {key for stage in STAGES.values() for key in stage.get("do", stage)["params"] if isinstance(key, str)}
    wanted = set()
    for key in templates | named:
        parts = key.split(".")
        wanted |= {".".join(parts[: n + 1]) for n, part in enumerate(parts) if not part.startswith("$")}
    wanted = {key for key in (re.sub(r"\$\{.*", "", key).rstrip(".") for key in wanted) if key}
    features = {f"train_fin.{feature}" for feature in ("rms", "zcr", "chroma", "mel", "mfcc")}
    ways = {f"compare_fin.{way}" for way in ("closed_form", "staged", "end_to_end")}
    assert set(in_files(Params)) == wanted | features | ways


def in_files(section: type[Section], above: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        if name in section.in_files:
            yield f"{above}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from in_files(field.annotation, f"{above}{name}.")


def third_party(path: Path) -> set[str]:
    """Packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found


def test_every_library_of_the_classifiers_is_followed_by_their_training():
    folder = SOURCE / "models"
    imported = set().union(*map(third_party, folder.rglob("*.py")))
    listed = next(entry for entry in STAGES["train_classifier"]["params"] if isinstance(entry, dict))["workflow/libraries.yaml"]
    assert {name for name in LIBRARIES if IMPORTED_AS.get(name, name) in imported} <= set(listed)


def test_stages_are_those_of_the_command_line_and_of_the_rules():
    from finser.cli import app

    commands = {command.name for command in app.registered_commands}
    rules = set()
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        rules |= set(re.findall(r"^rule (\w+):", path.read_text(), flags=re.MULTILINE))
    assert set(STAGES) == rules == set(STEPS)
    assert set(STAGES) <= commands
    called = dict(re.findall(r'_run\("(\w+)", "finser\.([\w.]+)"', (SOURCE / "cli.py").read_text()))
    assert called == STEPS
    for stage, spec in STAGES.items():
        assert spec.get("do", spec)["cmd"].split()[:2] == ["workflow/finser", stage]


def test_the_picture_of_the_data_flow_names_every_stage_once():
    picture = (ROOT / "docs" / "architecture.svg").read_text()
    assert sorted(re.findall(r'class="stage"[^>]*>(\w+)<', picture)) == sorted(STAGES)


def test_sections_of_params_are_named_as_stages():
    top = {"preset", "corpora", "pooled", "models", "fusions", "protocols", "folds", "seeds", "seed"}
    options = {"fine_tune"}  # sections of train_classifier that start from trained weights
    prepared = {"prepare_classifier", "prepare_fine_tuning"}  # stages whose sections are those of the training
    assert set(Params.model_fields) - top - options == set(STAGES) - prepared


def outs(stage: str, **item: str) -> list[str]:
    body = STAGES[stage].get("do", STAGES[stage])
    entries = [entry for section in ("outs", "metrics", "plots") for entry in body.get(section, [])]
    text = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    return sorted(re.sub(r"\$\{(?:item\.)?(\w+)\}", lambda match: item[match[1]], entry) for entry in text)


def test_layout_and_dvc_agree():
    for stage, place in [
        ("fetch", layout.raw), ("index", layout.clips), ("resample", layout.audio), ("augment", layout.shards), ("label", layout.labels)
    ]:  # fmt: skip
        assert outs(stage, corpus="tess") == [str(place("tess"))]
    assert outs("split", protocol="speaker") == [str(layout.split("speaker"))]
    assert outs("train_front_end") == [str(layout.fin("front_end")), str(layout.training_time("train_front_end"))]
    assert outs("train_fin", key="mel") == [str(layout.fin("mel")), str(layout.training_time("train_fin", "mel"))]
    assert outs("evaluate_fin", feature="mel") == sorted(
        [str(layout.fin_history("mel")), str(layout.fin_result("mel")), str(layout.fin_frames("mel"))]
    )
    compared = outs("compare_fin", feature="mel", way="staged", seed="3")
    assert compared == [str(layout.fin_comparison("mel", "staged", 3))]
    assert outs("reference_fin", feature="zcr", seed="1") == [str(layout.fin_comparison("zcr", "reference", 1))]
    assert outs("fetch_weights", key="imagenet") == [str(layout.weights("imagenet"))]
    for stage in ("prepare_classifier", "prepare_fine_tuning"):
        assert outs(stage, key="svm") == [str(layout.initial("svm"))]
    item = {"model": "svm", "protocol": "speaker", "fold": "1"}
    place = ("svm", "speaker", 1, 4)
    trained = outs("train_classifier", **item, seed="4")
    assert trained == [str(layout.classifier(*place)), str(layout.training_time("train_classifier", *place))]
    deps = [re.sub(r"\$\{item\.(\w+)\}", lambda match: item[match[1]], dep) for dep in STAGES["evaluate_classifier"]["deps"]]
    assert str(layout.classifiers(*place[:3])) in deps and layout.classifier(*place).parent == layout.classifiers(*place[:3])
    folder, names = layout.classifier_result(*place[:3]), ("history.csv", "metrics.json", "predictions.parquet", "validation.parquet")
    made = [*(str(folder / name) for name in names), str(layout.evaluation_time(*place[:3]))]
    assert outs("evaluate_classifier", **item) == sorted(made)
    assert outs("report") == sorted(str(layout.report().parent / name) for name in ("figures", "report.html", "report.md"))


def functions() -> list[tuple[str, ast.AST, int]]:
    """Every function of the project: where, its tree, and its lines less the docstring."""
    found = []
    for path in [*modules().values(), *sorted((ROOT / "workflow").glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                doc = ast.get_docstring(node, clean=False)
                lines = node.end_lineno - node.lineno + 1 - (len(doc.splitlines()) if doc else 0)
                found.append((f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node, lines))
    return found


def test_functions_are_short():
    lengths = [lines for _, _, lines in functions()]
    assert not [where for where, node, _ in functions() if node.end_lineno - node.lineno + 1 > 60], "docstring included"
    assert statistics.median(lengths) <= 12
    assert statistics.quantiles(lengths, n=10)[-1] < 30


def test_no_parameter_hides_what_its_module_imports():
    imported = {}
    for path in modules().values():
        nodes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        imported[str(path.relative_to(ROOT))] = {(alias.asname or alias.name).split(".")[0] for node in nodes for alias in node.names}
    for where, node, _ in functions():
        given = {argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
        assert not given & imported.get(where.split(":")[0], set()), where


def test_documented_parameters_are_the_real_ones():
    """Where a docstring lists Parameters, every name in it is one of the signature's."""
    for where, node, _ in functions():
        section = re.search(r"\n\s*Parameters\n\s*-+\n(.*?)(\n\s*\n\s*\w+\n\s*-+\n|\Z)", ast.get_docstring(node) or "", flags=re.DOTALL)
        if section:
            names = re.findall(r"^([\w*][\w*, ]*) : ", section[1], flags=re.MULTILINE)
            listed = {name.strip(" *") for group in names for name in group.split(",")}
            arguments = node.args
            real = {argument.arg for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
            real |= {extra.arg for extra in (arguments.vararg, arguments.kwarg) if extra}
            assert listed <= real, f"{where} documents {listed - real}"


def test_environment_yml_holds_pyprojects_pins():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    constraint, *pins = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    assert constraint == "--constraint constraints.txt"
    assert sorted(pins) == sorted(project["dependencies"] + project["optional-dependencies"]["test"])
    assert f"python{project['requires-python']}" in conda[0]


def test_constraints_pin_every_dependency_at_what_runs_here():
    from importlib.metadata import version

    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    pins = {re.sub(r"[-_.]+", "-", name).lower(): pin for name, pin in pins.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"] + project["optional-dependencies"]["test"]:
        name = re.match(r"[\w.-]+", requirement)[0]
        assert pins[re.sub(r"[-_.]+", "-", name).lower()] == version(name).split("+")[0], (
            f"constraints.txt and this environment differ in {name}"
        )


def test_libraries_that_stages_follow_are_those_of_the_constraints():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert {name: pins[name] for name in LIBRARIES} == LIBRARIES


def test_nothing_needs_torchvision_or_torchaudio():
    for path in modules().values():
        assert not re.search(r"^\s*(import|from) (torchaudio|torchvision)", path.read_text(), flags=re.MULTILINE), path


def test_no_pickle_is_written_or_read():
    for path in modules().values():
        assert not re.search(r"\bimport (pickle|joblib)|torch\.(save|load)\(", path.read_text()), path


def test_python_is_new_enough():
    assert sys.version_info >= (3, 11)
