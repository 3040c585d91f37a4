"""The shape of the code: imports run one way, dvc.yaml covers them, paths agree, functions are short, all that is public is documented."""

import ast
import inspect
import re
import statistics
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from finser import layout
from finser.classifiers.prepare import code_of_kind
from finser.classifiers.prepare_pretraining import reads
from finser.classifiers.pretrain import paired
from finser.config.base import Section
from finser.config.params import Params
from finser.config.sections.classifiers import KINDS
from finser.models import module_of
from finser.project.code import imports, modules
from finser.project.stages import table
from finser.tools import closures

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "finser"
HELPERS = {"cards", "config", "emotions", "errors", "files", "hosts", "layout", "machine", "progress", "project", "seeds", "workers"}
ORDER = [  # of the flow
    "corpora",
    "synthetic",
    "fetching",
    "audio",
    "splits",
    "features",
    "scores",
    "training",
    "encoders",
    "fins",
    "models",
    "classifiers",
    "evaluation",
    "summary",
    "report",
    "predict",
    "serve",
]
FOR_PEOPLE = ["tools", "cli", "__main__"]  # beside the flow: these may import all of it
LIBRARIES = yaml.safe_load((ROOT / "workflow" / "libraries.yaml").read_text())
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
TABLE = table({"stages": STAGES})
STEPS = {name: stage.step for name, stage in TABLE.items()}


@pytest.mark.parametrize("name", [name for name in modules() if name])
def test_imports_run_one_way(name):
    top = name.split(".")[0]
    allowed = set(HELPERS) if top not in HELPERS else HELPERS
    if top in FOR_PEOPLE:
        return
    assert top in HELPERS or top in ORDER, f"{name}: give it a place in the order"
    if top in ORDER:
        allowed = HELPERS | set(ORDER[: ORDER.index(top) + 1])
    wrong = {imported for imported in imports(modules()[name], modules()) if imported and imported.split(".")[0] not in allowed}
    assert not wrong, f"finser.{name} imports from later packages: {wrong}"


def test_stages_depend_on_exactly_the_code_and_libraries_that_they_use(monkeypatch):
    """No module, default or library is missing, and none is superfluous."""
    monkeypatch.chdir(ROOT)
    text = (ROOT / "dvc.yaml").read_text()
    assert closures.rewritten(text) == text, "run: python -m finser.tools.closures"


@pytest.mark.parametrize("kind", KINDS)
def test_the_stages_that_prepare_a_kind_depend_on_all_code_that_they_digest(kind):
    """Else an edit makes nothing stale, and training refuses to run with other code than was prepared."""
    wanted = {modules()[name].relative_to(ROOT).as_posix() for name in code_of_kind(KINDS[kind]())}
    for stage in ("prepare_classifier", "prepare_fine_tuning"):
        deps = [dep.replace("${item.model}", kind) for dep in STAGES[stage]["do"]["deps"]]
        assert not {path for path in wanted if not any(path == dep or path.startswith(f"{dep}/") for dep in deps)}, stage


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_reads_is_what_its_reader_reads(kind):
    """models/initial/NAME lists the checksums of these files."""
    arms = [{"arm": arm, "fins": () if arm == "librosa" else ("rms",)} for arm in ("librosa", "frozen", "tuned")]
    inputs = [{"representation": name} for name in ("statistics", *(("egemaps", "compare_2016") if find_spec("opensmile") else ()))]
    for given in {"fin_ensemble": arms, "svm": inputs}.get(kind, [{"init": "models/weights/x"} if KINDS[kind].needs_encoder else {}]):
        options = KINDS[kind](**given)
        listed = {folder_of(name) for name in options.reads}
        assert set(module_of(options).reader(options).folders("tess")) <= listed


@pytest.mark.parametrize("kind", [kind for kind in KINDS if hasattr(KINDS[kind], "trunk_shape")])
def test_what_a_pretraining_lists_is_what_its_reader_reads(kind):
    """data/pool/pretrain/TRUNK.json lists the checksums of these files."""
    options = KINDS[kind]()
    module = module_of(options)
    reader = paired(module.reader(options), module.frame_numbers(options))
    assert set(reader.folders("tess")) == {folder_of(name) for name in reads(options)}


def folder_of(name: str) -> Path:
    at = {"shards": layout.shards("tess"), "labels": layout.labels("tess")}
    return at.get(name) or layout.features(name, "tess")


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


@pytest.mark.parametrize("stage", STAGES)
def test_stage_has_a_command_and_a_function_that_takes_its_axes(stage, monkeypatch):
    """The rule is made of the same table (tests/workflow/test_pipeline.py)."""
    from finser.cli import program

    monkeypatch.chdir(ROOT)
    assert STAGES[stage].get("do", STAGES[stage])["cmd"].split()[:2] == ["workflow/finser", stage]
    (command,) = [command for command in program().registered_commands if command.name == stage]
    assert list(inspect.signature(command.callback).parameters) == list(TABLE[stage].axes)
    required = [given for given in inspect.signature(TABLE[stage].function()).parameters.values() if given.default is given.empty]
    assert len(required) == 1 + len(TABLE[stage].axes), "the parameters of params.yaml, and a value for each axis"


def test_sections_of_params_are_named_as_stages():
    top = {"preset", "corpora", "pooled", "emotions", "models", "fusions", "final", "protocols", "folds", "seeds", "seed"}
    options = {"fine_tune"}  # sections of train_classifier that start from trained weights
    assert set(Params.model_fields) - top - options <= set(STAGES)


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
    assert outs("split_fins") == [str(layout.split("fins"))]
    assert outs("features", corpus="tess", representation="statistics") == [str(layout.features("statistics", "tess"))]
    assert outs("apply_fins", corpus="tess") == [str(layout.features("fins", "tess"))]
    assert outs("pool") == [str(layout.pool("classifiers")), str(layout.pool("fins"))]
    assert outs("prepare_pretraining", trunk="ast") == [str(layout.pool("pretrain/ast"))]
    assert outs("noisy", protocol="random", fold="2") == [str(layout.noisy("random", 2))]
    assert outs("train_front_end") == [str(layout.fin("front_end")), str(layout.training_time("train_front_end"))]
    assert outs("train_fin", key="mel") == [str(layout.fin("mel")), str(layout.training_time("train_fin", "mel"))]
    assert outs("evaluate_fin", feature="mel") == sorted(
        [str(layout.fin_history("mel")), str(layout.fin_result("mel")), str(layout.fin_frames("mel"))]
    )
    compared = outs("compare_fin", feature="mel", way="staged", seed="3")
    assert compared == [str(layout.compared_fin("mel", "staged", 3))]
    assert outs("reference_fin", feature="zcr", seed="1") == [str(layout.compared_fin("zcr", "reference", 1))]
    assert outs("evaluate_compared") == [str(layout.fin_comparisons())]
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


def test_functions_and_modules_are_short():
    found = functions()
    lengths = [lines for _, _, lines in found]
    assert not [where for where, _, lines in found if lines > 45]
    assert not [where for where, node, _ in found if node.end_lineno - node.lineno + 1 > 60], "docstring included"
    assert statistics.median(lengths) <= 10
    assert statistics.quantiles(lengths, n=10)[-1] < 30
    assert not [name for name, path in modules().items() if len(path.read_text().splitlines()) > 400]


def test_no_two_places_have_ten_equal_lines():
    seen = {}
    for path in modules().values():
        lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
        for number in range(len(lines) - 9):
            block = tuple(lines[number : number + 10])
            assert block not in seen, f"{path} and {seen[block]}: {block[0]}"
            seen[block] = path


def test_no_two_classes_have_one_name():
    names = [node.name for path in modules().values() for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    assert not {name for name in names if names.count(name) > 1}


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


@pytest.mark.xdist_group("alone")
def test_a_group_of_tests_stays_on_one_worker(request):
    """pytest-xdist adds the group to a test's name; with pytest 9.2 it does not, and two workers build the same projects."""
    assert not getattr(request.config.option, "loadgroup", False) or request.node.nodeid.endswith("@alone")


def test_libraries_that_stages_follow_are_those_of_the_constraints():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert {name: pins[name] for name in LIBRARIES} == LIBRARIES


def test_nothing_needs_torchvision_or_torchaudio():
    for path in modules().values():
        assert not re.search(r"^\s*(import|from) (torchaudio|torchvision)", path.read_text(), flags=re.MULTILINE), path


def test_no_pickle_is_written_or_read():
    """Published weights are the exception: `fetch_weights` reads them with torch's restricted loader, which runs nothing."""
    for name, path in modules().items():
        text = path.read_text()
        if name == "encoders.reading":
            text = re.sub(r"torch\.load\([^()]*weights_only=True", "", text)
        assert not re.search(r"\bimport (pickle|joblib)|torch\.(save|load)\(", text), path


def test_python_is_new_enough():
    assert sys.version_info >= (3, 11)
