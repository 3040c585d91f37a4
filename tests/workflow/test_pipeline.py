"""What dvc.yaml becomes for Snakemake, without running anything."""

import importlib.util
import shutil
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo, lock_repo

from finser.config import presets
from finser.config.dump import dump
from finser.config.reading import read
from finser.project.partitions import Partition, Request, of
from finser.project.run import choose_card

ROOT = Path(__file__).parents[2]
PRESETS = ("demo", "tiny", "open", "paper", "ravdess")


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
    assert asked("label", corpus="ravdess") == 0
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
            asked = made.resources(name)["gpu"](Wildcards(item))
            assert (choose_card(made.checked, stage, item) == "a card") == (asked == 1), (name, item)


def asked(made, name: str, attempt: int = 1, threads: int = 1, **item: str) -> tuple[int, int]:
    """Megabytes and minutes of a job."""
    found = made.resources(name)
    return found["mem_mb"](Wildcards(item), threads=threads, attempt=attempt), found["runtime"](Wildcards(item), attempt=attempt)


def test_a_second_attempt_asks_for_more_up_to_what_its_partition_has(pipeline):
    made = pipeline("demo")
    assert asked(made, "train_classifier", 3, model="ast") == (48000, 1440), "without limits"
    assert asked(made, "train_classifier", 3, model="svm") == (48000, 60), "a group continues: it needs no more time"
    made.partitions = [Partition("cpu", 64, 40000), Partition("gpu", 2, 20000, 1, 600)]
    assert [asked(made, "train_classifier", attempt, model="ast") for attempt in (1, 2, 3)] == [(16000, 480), (20000, 600), (20000, 600)]
    assert asked(made, "train_classifier", 3, model="svm")[0] == 40000
    made.partitions = [Partition("cpu", 64, 8000, 0, None)]
    assert asked(made, "train_classifier", 1, model="svm")[0] == 16000, "not less than the need: check_jobs refuses it"
    made.partitions = [Partition("cpu", 64, 0, 0, None)]
    assert asked(made, "train_classifier", 2, model="svm")[0] == 0, "Slurm does not know the memory of its nodes"


@pytest.mark.parametrize("preset", PRESETS)
def test_no_attempt_asks_for_what_no_partition_has_if_the_first_one_does_not(pipeline, preset):
    made = pipeline(preset)
    made.partitions = [Partition("cpu", 64, 20000, 0, 600), Partition("gpu", 8, 24000, 4, 600)]
    for name in made.stages:
        for item in made.items(name)[:3]:
            found, threads = made.resources(name), made.threads(name)
            threads = threads(Wildcards(item)) if callable(threads) else threads
            partition = of(made.partitions, found["gpu"](Wildcards(item)))
            assert found["slurm_partition"](Wildcards(item)) == partition.name
            for attempt in (1, 2, 3):
                mem_mb, runtime = asked(made, name, attempt, threads, **item)
                assert not partition.lacks(Request(threads, mem_mb, runtime, found["gpu"](Wildcards(item)))) or threads > 30


def test_threads_time_and_gpus_on_a_cluster_are_those_of_its_nodes(pipeline):
    made = pipeline("demo")
    assert made.threads("label")(Wildcards(corpus="ravdess")) == 1 and made.cards == 1
    del made.cards
    made.partitions = [Partition("cpu", 64, 20000), Partition("gpu", 2, 20000, 4)]
    made.clips = {"ravdess": 1440, "savee": 480, "esd": 35000}
    assert [made.threads("label")(Wildcards(corpus=corpus)) for corpus in made.clips] == [15, 5, 64]
    assert made.threads("fetch")(Wildcards(corpus="esd")) == 4, "on the login node"
    assert [asked(made, "label", corpus=corpus)[1] for corpus in made.clips] == [15, 15, 210]
    assert made.resources("train_fin")["gpu"](Wildcards(key="mel")) == 1, "one, of four"
    del made.cards
    made.partitions = [Partition("cpu", 64, 20000)]
    assert made.resources("train_fin")["gpu"](Wildcards(key="mel")) == 0


def test_short_jobs_are_in_groups_and_those_on_a_gpu_are_not(pipeline):
    made = pipeline("demo")
    of = {name: made.group(name) for name in made.stages}
    assert {name for name, group in of.items() if group and group(Wildcards(corpus="tess", model="svm", key="svm")) == "corpus"} == {
        "index", "resample", "augment", "label", "features"
    }  # fmt: skip
    assert of["fetch"] is None, "a rule with a group is never local"
    trained = {model: of["train_classifier"](Wildcards(model=model)) for model in ("svm", "mlp", "small_cnn", "ast")}
    assert trained == {"svm": "short", "mlp": "short", "small_cnn": None, "ast": None}


@pytest.mark.parametrize("preset", PRESETS)
def test_no_way_leads_out_of_a_group_and_into_it_again(pipeline, preset):
    """Such a group could not run: it would wait for a job that waits for it."""
    made = pipeline(preset)
    group, needs = {}, {}
    for name in made.stages:
        for item in made.items(name):
            job = made.address(name, item)
            group[job] = made.group(name) and made.group(name)(Wildcards(item))
            needs[job] = {made.makers[dep] for dep in made.deps(name, item) if dep in made.makers}
    parts = components(needs, group)
    order = TopologicalSorter({})
    for job, before in needs.items():
        order.add(parts[job], *({parts[other] for other in before} - {parts[job]}))
    order.prepare()  # raises an error for a cycle


def components(needs: dict[str, set[str]], group: dict[str, str | None]) -> dict[str, str]:
    """Name the Slurm job of every job: those of one group that depend on each other have one."""
    name = {job: job for job in needs}
    for job, before in needs.items():
        for other in before:
            if group[job] and group[job] == group[other]:
                old, new = name[job], name[other]
                name = {one: new if part == old else part for one, part in name.items()}
    return name


def test_resources_are_those_of_dvc_yaml(pipeline):
    made = pipeline("demo", 2)
    assert asked(made, "split", protocol="speaker") == (1000, 10) and made.threads("split") == 1
    assert asked(made, "fuse_classifiers") == (2000, 30), "what is not listed has a default"
    assert asked(made, "label", corpus="esd", threads=3) == (2800, 60)
    assert asked(made, "train_classifier", model="small_cnn") == (16000, 480)
    assert asked(made, "train_classifier", model="svm") == (16000, 60), "no GPU, and soon done"
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
