"""Nothing is silently wrong: reading changes nothing, copies run their own code, edits are seen, dropped names leave no trace."""

import hashlib
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import yaml

from .conftest import BIN, copy_of_the_source
from .test_kill import start, words_of

INTERNAL = (".snakemake/", ".dvc/tmp/", ".git/")


def state(root: Path) -> dict[str, tuple]:
    """Every file of a project with its bytes and time, but for the engines' own records."""
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    names = {path.relative_to(root).as_posix(): path for path in files}
    return {
        name: (hashlib.md5(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for name, path in names.items()
        if not name.startswith(INTERNAL)
    }


def drop_model(project) -> None:
    """Take the FIN ensemble out of params.yaml."""
    project.set("models", ["svm"])


READERS = [
    ("snakemake", "-n", "results/report.md"),
    ("snakemake", "--lint"),
    ("snakemake", "--list"),
    ("snakemake", "--summary"),
    ("snakemake", "--dag", "dot"),
    ("snakemake", "--rulegraph", "dot"),
    ("snakemake", "--unlock"),
    ("finser", "check"),
    ("finser", "corpora"),
    ("finser", "inspect", "data/shards/ravdess"),
    ("python", "workflow/lint.py"),
    ("python", "-c", "import finser.cli, finser.features.labels, finser.report.page"),
]


def test_reading_changes_nothing(project):
    drop_model(project)
    before = state(project.root)
    for command in READERS:
        done = project.run(*command, check=False, timeout=120)
        assert state(project.root) == before, f"{' '.join(command)} changed a file"
        assert "Traceback" not in done.stdout + done.stderr


def test_snakemakes_report_changes_nothing_else(project):
    drop_model(project)
    before = state(project.root)
    project.run("snakemake", "--report", "page.html", check=False)
    assert {name: kept for name, kept in state(project.root).items() if name != "page.html"} == before


def test_a_dry_run_counts_dropped_outputs_as_removed_and_a_run_names_them(project):
    drop_model(project)
    dry = project.snakemake("-n")
    assert "report" in dry.stdout + dry.stderr and "train_" not in dry.stdout + dry.stderr
    done = project.snakemake()
    assert "removed models/classifiers/fin_ensemble/speaker/1/0: params.yaml no longer names" in done.stderr
    assert not (project.root / "models/classifiers/fin_ensemble/speaker/1/0").exists()
    project.assert_clean()


def test_what_the_cache_does_not_hold_is_not_removed(project):
    drop_model(project)
    victim = project.root / "models/classifiers/fin_ensemble/speaker/1/0"
    (victim / "config.json").write_text("mine")
    done = project.snakemake(check=False)
    assert done.returncode != 0 and (victim / "config.json").read_text() == "mine"
    assert error_line(done).startswith("error: models/classifiers/fin_ensemble/speaker/1/0: params.yaml no longer names what made it")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_dropped_corpus_leaves_no_trace_for_a_clone(project, tmp_path):
    """By `dvc repro` alone, pushed: a clone that pulls has nothing to do."""
    project.set("corpora", ["ravdess", "savee"])
    project.set("fetch.savee", {"source": "synthetic", "speakers": 3, "clips_per_emotion": 1})
    project.dvc("repro", "-q", "split@speaker", "label@savee")
    assert (project.root / "data/labels/savee").exists()
    project.set("corpora", ["ravdess"])
    project.set("fetch", {"ravdess": project.get("fetch.ravdess")})
    project.dvc("repro", "-q")
    assert "up to date" in project.dvc("status").stdout
    clone = project.pushed_and_cloned(tmp_path)
    clone.dvc("pull", "-q")
    clone.assert_clean()


LITTER = (
    *(".DS_Store", "._loop.py", ".loop.py.swp", "loop.py~", ".#loop.py", "#loop.py#"),
    *("Thumbs.db", "desktop.ini", ".nfs0001", "loop.py.orig"),
)


def test_litter_makes_nothing_stale(project):
    for name in LITTER:
        for folder in ("src/finser/classifiers", "data/shards/ravdess", "data/raw/ravdess", "models/fins/mel"):
            (project.root / folder / name).write_text("litter")
    for folder in ("src/finser/classifiers/.ipynb_checkpoints", "src/finser/fins/__pycache__", "data/labels/ravdess/.ipynb_checkpoints"):
        (project.root / folder).mkdir(exist_ok=True)
        (project.root / folder / "x-checkpoint.py").write_text("litter")
    project.assert_clean()
    seen = project.run("git", "ls-files", "--others", "--exclude-standard", "src").stdout.splitlines()
    assert len(seen) > 100 and not {Path(name).name for name in seen} & set(LITTER)


@pytest.mark.parametrize("engine", ["snakemake", "dvc"])
def test_an_edit_while_a_stage_runs_is_not_recorded(project, engine):
    project.set("train_fin.zcr.steps", 400)
    before = yaml.safe_load((project.root / "dvc.lock").read_text())["stages"]["train_fin@zcr"]
    command = ("snakemake", "--cores", "1", "models/fins/zcr") if engine == "snakemake" else ("dvc", "repro", "train_fin@zcr")
    process = start(project, *command)
    wait_for_stage(process, "train_fin", loaded="libtorch")
    project.set("train_fin.zcr.learning_rate", 0.02)
    assert process.wait() != 0
    assert yaml.safe_load((project.root / "dvc.lock").read_text())["stages"]["train_fin@zcr"] == before
    assert "train_fin@zcr" in project.dvc("status", "train_fin@zcr").stdout
    project.dvc("repro", "-q", "train_fin@zcr")
    assert "0.02" in str(yaml.safe_load((project.root / "dvc.lock").read_text())["stages"]["train_fin@zcr"]["params"])


def wait_for_stage(process: subprocess.Popen, stage: str, loaded: str = "") -> None:
    """Wait until a process runs the stage, and has loaded a library: torch is loaded after the stage has read its parameters."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        family = psutil.Process(process.pid).children(recursive=True)
        running = [member for member in family if stage in (words := words_of(member)) and any(word.endswith("/finser") for word in words)]
        if any(not loaded or has_loaded(member, loaded) for member in running):
            return
        time.sleep(0.05)
    raise AssertionError(f"{stage} did not start")


def has_loaded(process: psutil.Process, library: str) -> bool:
    with suppress(psutil.Error):
        return any(library in region.path for region in process.memory_maps())
    return False


def test_a_copy_runs_its_own_code(project, tmp_path):
    """A worktree with the environment of the original on its PATH: an error planted in its source is met."""
    with (project.root / "src/finser/audio/resample.py").open("a") as source:
        source.write("raise RuntimeError('the code of this copy')\n")
    done = project.run("workflow/finser", "resample", "ravdess", check=False)
    assert done.returncode != 0 and "the code of this copy" in done.stderr


def test_a_queued_experiment_runs_the_code_that_was_queued(project):
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "results")
    svm = project.root / "src/finser/models/rbf_svm.py"
    text = svm.read_text()
    assert "SVC(C=self.options.c" in text
    svm.write_text(text.replace("SVC(C=self.options.c", "SVC(C=1e-6"))
    project.dvc("exp", "run", "-q", "--queue", "-n", "idea", "evaluate_classifier@svm-speaker-1")
    project.run("git", "checkout", "-q", "src")
    project.dvc("exp", "run", "--run-all")
    project.dvc("exp", "apply", "idea")
    from safetensors.numpy import load_file

    model = load_file(project.root / "models/classifiers/svm/speaker/1/0/model.safetensors")
    assert abs(model["dual"]).max() <= 1e-6, "no dual coefficient exceeds C"


def test_results_made_by_hand_can_be_kept(project):
    """As the tutorial says: finser STAGE, then dvc commit."""
    project.set("train_fin.zcr.learning_rate", 0.02)
    project.run("finser", "train_fin", "zcr")
    project.dvc("commit", "-q", "-f", "train_fin@zcr")
    ran = project.ran_by(lambda: project.dvc("repro", "-q"))
    assert "report" in ran and not [stage for stage in ran if stage.startswith("train_fin")]
    project.assert_clean()


def error_line(done: subprocess.CompletedProcess) -> str:
    (line,) = {line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error:")}
    return line


def test_a_folder_without_git_is_told_to_make_a_repository(project):
    shutil.rmtree(project.root / ".git")
    line = error_line(project.snakemake(check=False))
    assert line.endswith("run: git init")
    project.run("git", "init", "-q", ".")
    project.assert_clean()


@pytest.mark.parametrize("folder", ["data", "data/shards"])
def test_a_linked_data_folder_is_refused_before_anything_runs(project, tmp_path, folder):
    shutil.move(project.root / folder, tmp_path / "scratch")
    (project.root / folder).symlink_to(tmp_path / "scratch")
    before = len(project.commands())
    for door in (("snakemake", "--cores", "1", "results/report.md"), ("finser", "label", "ravdess")):
        assert error_line(project.run(*door, check=False)).startswith(f"error: {folder}: a link to")
    assert len(project.commands()) == before


def test_a_clone_of_git_for_windows_runs(tmp_path):
    """core.autocrlf=true rewrites the ends of lines; .gitattributes keeps those of scripts."""
    project = copy_of_the_source(tmp_path / "project")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "source")
    project.run("git", "clone", "-q", "-c", "core.autocrlf=true", str(project.root), str(tmp_path / "clone"))
    clone = type(project)(tmp_path / "clone")
    clone.run("finser", "preset", "tiny")
    clone.run("workflow/finser", "fetch", "ravdess")


@pytest.mark.parametrize("target", ["models/fins/svm", "models/classifiers/svm/speaker/1/7", "data/labels/esd", "lable", "label"])
def test_a_target_that_no_stage_makes_is_one_line(project, target):
    done = project.run("snakemake", "--cores", "1", target, check=False)
    assert done.returncode != 0 and error_line(done).startswith(f"error: {target}: ")
    assert len((done.stdout + done.stderr).splitlines()) == 1


def test_a_file_that_no_job_makes_is_refused_before_anything_runs(project):
    """Not by the job that reads its folder, after all the others. An empty folder is no input."""
    stray = project.root / "results/timing/train_classifier/svm/speaker/9/0.json"
    stray.parent.mkdir(parents=True)
    done = project.run("snakemake", "--dry-run", "results/report.md")
    assert "Nothing to be done" in done.stdout + done.stderr
    stray.write_text("{}")
    for arguments in (("--dry-run",), ("--cores", "1")):
        done = project.run("snakemake", *arguments, "results/report.md", check=False)
        assert done.returncode != 0 and error_line(done).startswith(f"error: {stray.parent.relative_to(project.root)}: no job makes it")
        assert len((done.stdout + done.stderr).splitlines()) == 1


@pytest.mark.parametrize(
    ("path", "old", "new", "stale"),
    [
        ("src/finser/seeds.py", '[:8], "little"', '[8:16], "big"', {"resample", "prepare_classifier"}),
        ("src/finser/emotions.py", '"neutral", "calm"', '"calm", "neutral"', {"index", "prepare_classifier"}),
        ("workflow/libraries.yaml", 'numpy: "', 'numpy: "0.', {"index", "resample", "label", "prepare_classifier"}),
    ],
)
def test_code_and_libraries_below_all_stages_are_seen(project, path, old, new, stale):
    """An edited seeds.py or label set, or an upgraded library, makes stale what computes with it."""
    text = (project.root / path).read_text()
    assert old in text
    (project.root / path).write_text(text.replace(old, new, 1))
    items = {"index": "ravdess", "resample": "ravdess", "label": "ravdess", "prepare_classifier": "svm"}
    reasons = project.dvc("status", *(f"{stage}@{item}" for stage, item in items.items())).stdout
    assert {stage for stage, item in items.items() if f"{stage}@{item}:" in reasons} == stale
    assert f"modified:{path}" in "".join(reasons.split()) or "numpy" in reasons


WITHOUT_PRIVILEGES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


@pytest.mark.skipif(bool(WITHOUT_PRIVILEGES and not shutil.which("setpriv")), reason="root writes everywhere without setpriv")
def test_labels_where_numba_can_keep_nothing(project, tmp_path):
    """Sources and a home that cannot be written: compiled code goes to a temporary folder, which is removed."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    for cache in (project.root / "src").rglob("__pycache__"):
        shutil.rmtree(cache)
    closed = [tmp_path / "home", project.root / "src", *(path for path in (project.root / "src").rglob("*") if path.is_dir())]
    for folder in closed:
        folder.chmod(0o555)
    before = (project.root / "data/labels/ravdess/part-00000.parquet").read_bytes()
    environment = {
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "FINSER_CORES": "1",
    }
    done = project.run(*WITHOUT_PRIVILEGES, "workflow/finser", "label", "ravdess", env=environment, check=False)
    for folder in closed:
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert (project.root / "data/labels/ravdess/part-00000.parquet").read_bytes() == before
    assert not list((tmp_path / "tmp").iterdir()) and not list((project.root / "src").rglob("*.nbi"))


def test_python_minus_m(project):
    done = project.run(str(BIN / "python"), "-m", "finser", "check")
    assert done.stdout.startswith("params.yaml is valid")


def test_without_any_finser_there_is_one_line(tmp_path):
    project = copy_of_the_source(tmp_path / "project")
    done = subprocess.run(
        ["/bin/sh", "workflow/finser", "check"], cwd=project.root, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith("error: finser is not installed")
