"""What dvc.yaml becomes for Snakemake, without running anything."""

import importlib.util
import shutil
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo, lock_repo

from finser.config import presets
from finser.config.dump import dump
from finser.config.reading import read
from finser.project.run import choose_card

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def module():
    """workflow/pipeline.py, which is no part of the package."""
    source = importlib.util.spec_from_file_location("pipeline", ROOT / "workflow/pipeline.py")
    module = importlib.util.module_from_spec(source)
    source.loader.exec_module(module)
    return module


@pytest.fixture
def pipeline(tmp_path, monkeypatch, copy_stages, module):
    """The pipeline of a preset, by its name."""
    monkeypatch.chdir(tmp_path)
    copy_stages(tmp_path)

    def of(preset: str, cores: int | None = None):
        Path("params.yaml").write_text(dump(presets.make(preset)))
        return module.Pipeline(cores=cores)

    return of


class Wildcards(dict):
    """Snakemake's wildcards: items and attributes."""

    __getattr__ = dict.__getitem__


@pytest.mark.parametrize(
    ("preset", "corpus", "cores", "threads"),
    [
        ("demo", "esd", 2, 1),
        ("demo", "crema_d", None, 1),
        ("paper", "esd", 8, 6),
        ("paper", "savee", 8, 1),
        ("paper", "savee", 1000, 5),
        ("tiny", "ravdess", 8, 1),
    ],
)
def test_cores_are_in_proportion_to_clips(pipeline, preset, corpus, cores, threads):
    """ESD has 35,000 of 47,162 clips; fewer than 100 clips are not worth a second worker."""
    assert pipeline(preset, cores).threads("augment")(Wildcards(corpus=corpus)) == threads


def test_only_networks_that_train_on_a_gpu_ask_for_one(pipeline, monkeypatch):
    made = pipeline("demo", 8)
    made.cards = 2

    def asked(stage: str, **item: str) -> int:
        return made.resources(stage)["gpu"](Wildcards(item))

    models = {model: asked("train_classifier", model=model) for model in ("svm", "mlp", "small_cnn", "ast", "fin_ensemble")}
    assert models == {"svm": 0, "mlp": 0, "small_cnn": 1, "ast": 1, "fin_ensemble": 1}
    assert asked("train_fin", key="mel") == 1 and asked("pretrain", trunk="small_cnn") == 1
    assert "gpu" not in made.resources("label")
    made.cards = 0
    assert asked("train_classifier", model="ast") == 0


@pytest.mark.parametrize(("visible", "cards"), [("", 0), ("-1", 0), ("0", 1), ("1,3", 2)])
def test_cards_are_those_that_jobs_may_see(pipeline, monkeypatch, visible, cards):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert pipeline("demo", 8).cards == cards


def test_a_job_takes_a_gpu_if_and_only_if_its_rule_asks_for_one(pipeline, monkeypatch):
    made = pipeline("demo", 8)
    made.cards = 1
    monkeypatch.setattr("finser.project.run.take_one", lambda: "a card")
    for name, stage in made.stages.items():
        for item in made.items(name):
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
            asked = made.resources(name).get("gpu", lambda wildcards: 0)(Wildcards(item))
            assert (choose_card(made.checked, stage, item) == "a card") == (asked == 1), (name, item)


def test_resources_are_those_of_dvc_yaml(pipeline):
    made = pipeline("demo", 2)
    assert made.resources("split") == {"mem_mb": 1000, "runtime": 10} and made.threads("split") == 1
    assert made.resources("fuse_classifiers") == {"mem_mb": 2000, "runtime": 30}, "what is not listed has a default"
    assert made.resources("label")["mem_mb"](Wildcards(corpus="esd"), threads=3) == 2800
    assert [name for name, stage in made.stages.items() if stage.local] == ["fetch", "fetch_weights"]


def test_what_a_rule_says_and_writes(pipeline):
    made = pipeline("demo")
    assert made.message("train_fin") == "Train the FIN for {wildcards.key}"
    assert [made.record(name) for name in ("compare_fin", "report")] == ["compare_fin/{feature}-{way}-{seed}", "report/all"]
    flags = {str(out): set(getattr(out, "flags", ())) for name in made.stages for out in made.outputs(name)}
    assert {out for out, found in flags.items() if "report" in found} == {"results/report.md"}
    assert all(("directory" in found) == (not Path(out).suffix) for out, found in flags.items())


def test_wildcards_are_those_of_the_rule(pipeline):
    """compare_fin has a seed axis of its own, and `key` stands in three stages."""
    made = pipeline("demo")
    assert made.wildcards("train_fin") == {"key": "rms|zcr|chroma|mel|mfcc"}
    assert "svm" in made.wildcards("prepare_classifier")["key"].split("|")
    assert made.wildcards("fetch_weights") == {"key": "(?!)"}, "no name at all"


def test_a_stage_that_reads_a_folder_follows_the_lists_that_fill_it(pipeline):
    """What is dropped from such a list must make the stage stale, so that it removes the dropped outputs before DVC records it."""
    made = pipeline("demo")
    dvc_yaml = read(ROOT / "dvc.yaml")
    axes = {"corpus", "model", "fusion", "protocol", "fold", "seed"}
    for name in made.stages:
        if name in ("report", "prepare_fine_tuning", "pretrain"):  # report depends on all of params.yaml, a trunk belongs to its section
            continue
        for item in made.items(name)[:1]:
            for dep in made.paths(name, item, "deps"):
                inside = made.below.get(dep, [])
                makers = {made.makers[out].split("@")[0] for out in inside}
                matrices = [dvc_yaml["stages"][maker].get("matrix", {}) for maker in makers]
                filling = {lists.strip("${}") for matrix in matrices for axis, lists in matrix.items() if axis in axes - set(item)}
                followed = made.paths(name, item, "params")
                lacking = [key for key in filling if not {key, key.split(".")[0]} & set(followed)]
                assert not lacking, f"{name} reads {dep} and does not follow {lacking}"


def test_outputs_of_a_folder_dependency_are_named(pipeline):
    deps = pipeline("demo").deps("split", {"protocol": "speaker"})
    assert {f"data/clips/{corpus}.parquet" for corpus in ("ravdess", "crema_d", "tess", "savee", "esd")} <= set(deps)


def test_every_output_has_one_maker(pipeline):
    made = pipeline("demo")
    outs = [out for name in made.stages for item in made.items(name) for out in made.outs(name, item)]
    assert len(outs) == len(set(outs)) == len(made.makers)


def test_no_profile_asks_for_a_gpu_in_place_of_the_rules():
    """A profile's set-resources would overrule that SVM and MLP need none."""
    for profile in (ROOT / "workflow/profiles").glob("*/config.yaml"):
        resources = yaml.safe_load(profile.read_text()).get("set-resources", {})
        assert not [rule for rule, asked in resources.items() if "gpu" in asked], profile


@pytest.mark.parametrize(
    "target", ["results/report.md", "./results/report.md", "results//report.md", "data/clips/../clips/ravdess.parquet"]
)
def test_a_target_may_be_written_as_any_path(pipeline, target):
    pipeline("tiny")._check_target(target)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("per_clip: true", "per_clip: yes", "error: dvc.yaml: stage fetch: meta.per_clip; expected a value of type bool; found yes"),
        ('"${corpora}"', '"${corpra}"', "error: dvc.yaml: .*Could not find 'corpra'"),
        ('outs: ["data/raw/${item.corpus}', 'outs: ["data/raw/${item.corpsu}', "error: dvc.yaml: .*Could not find 'item.corpsu'"),
    ],
)
def test_a_fault_of_dvc_yaml_ends_snakemake_with_one_line(pipeline, module, old, new, said):
    pipeline("tiny")
    Path("dvc.yaml").write_text(Path("dvc.yaml").read_text().replace(old, new, 1))
    with pytest.raises(SystemExit, match=said) as ended:
        module.Pipeline()
    assert "\n" not in str(ended.value)


def edit_a_parameter(root: Path) -> None:
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("kept: 1", "kept: 2"))


def edit_shared_code(root: Path) -> None:
    (root / "code/a.py").write_text("edited")


def remove_an_output(root: Path) -> None:
    (root / "made/x.txt").unlink()


def tamper_with_an_output(root: Path) -> None:
    (root / "made/y.txt").write_text("tampered")


def forget_the_cache(root: Path) -> None:
    shutil.rmtree(root / ".dvc/cache")


def edit_a_command(root: Path) -> None:
    text = (root / "dvc.yaml").read_text()
    (root / "dvc.yaml").write_text(text.replace("cp code", "cp  code"))


def add_a_job(root: Path) -> None:
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("[x, y]", "[x, y, z]"))


def forget_the_lock(root: Path) -> None:
    (root / "dvc.lock").unlink()


EDITS = (
    *(edit_a_parameter, edit_shared_code, remove_an_output, tamper_with_an_output, forget_the_cache),
    *(edit_a_command, add_a_job, forget_the_lock, lambda root: None),
)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_the_answer_about_what_is_stale_is_that_of_dvc_status(tmp_path, monkeypatch, module, edit):
    """Two jobs that share their code, and one that reads what they made."""
    monkeypatch.chdir(tmp_path)
    for path, text in {
        ".dvc/config": "[core]\n    no_scm = true\n    analytics = false\n",
        "params.yaml": "names: [x, y]\nkept: 1\n",
        "code/a.py": "code",
        "dvc.yaml": """stages:
  make: {matrix: {n: "${names}"}, cmd: "cp code/a.py made/${item.n}.txt", deps: [code], params: [kept], outs: ["made/${item.n}.txt"]}
  read: {cmd: cat made/*.txt > all.txt, deps: [code, made], outs: [all.txt]}
""",
    }.items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text)
    Path("made").mkdir()
    with Repo() as repo:
        repo.reproduce()
    edit(tmp_path)
    with Repo() as repo:
        expected = repo.status()
    with Repo() as repo, lock_repo(repo):
        found = module.status(repo)
    never = {name for name, reasons in found.items() if reasons == ["not in dvc.lock"]}
    assert set(found) == set(expected)
    assert {name: found[name] for name in set(found) - never} == {name: expected[name] for name in set(found) - never}
    assert bool(found) == (edit is not EDITS[-1]) and bool(never) == (edit in (add_a_job, forget_the_lock))
