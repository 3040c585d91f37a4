"""`finser doctor` in sound and in broken environments: each fault is a line of its own, and nothing is written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from finser import layout
from finser.audio.frames import SR
from finser.audio.shards import read_audio
from finser.config import presets
from finser.config.dump import dump
from finser.config.sections.fetch import Local
from finser.errors import FinserError
from finser.predict import bundle
from finser.synthetic.rendering import CHANNELS
from finser.tools import disk, doctor, installed
from finser.tools.doctor import MISSING, NOTE, OK, WARNING, Finding

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path, monkeypatch, copy_stages) -> Path:
    """A project of the preset `tiny` as the current folder, on which nothing ran."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text(dump(presets.tiny()))
    copy_stages(folder)
    (folder / ".git").mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def sound(monkeypatch):
    """An installation without a fault: the imports of a real one take ten seconds."""
    monkeypatch.setattr(installed, "probe", lambda modules: installed.Probed())


def states(findings: list[Finding], name: str) -> list[str]:
    return [one.state for one in findings if one.name == name]


def said(findings: list[Finding], name: str) -> str:
    return " | ".join(f"{one.found}; {one.do}" for one in findings if one.name == name)


def everything_in(folder: Path) -> dict[str, tuple]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def test_the_command_itself_writes_nothing_and_fits_a_screen(root, tmp_path):
    """With the real imports, of which torch is made to fail as a broken driver does, and one other crashes."""
    home, broken = tmp_path / "home", tmp_path / "broken"
    for name, text in (
        ("torch", "raise ImportError('libcudart.so.12: cannot open shared object file')"),
        ("soxr", "import os; os.abort()"),
    ):
        (broken / name).mkdir(parents=True)
        (broken / name / "__init__.py").write_text(text)
    home.mkdir()
    before = everything_in(tmp_path)
    path = os.pathsep.join([str(broken), str(ROOT / "src")])
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-m", "finser", "doctor"], capture_output=True, text=True, env=environment)
    assert everything_in(tmp_path) == before
    assert done.returncode == 1 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= 100
    text = " ".join(done.stdout.split())
    assert "torch cannot be imported (ImportError: libcudart.so.12: cannot open shared object file)" in text
    assert "soxr cannot be imported (the import ends with status -6)" in text and "numpy cannot" not in text
    assert "params.yaml valid: preset tiny" in text and "corpora ravdess: synthesised by fetch" in text


def test_only_a_missing_thing_makes_the_status_1(root, sound, capsys):
    assert doctor.main() == 0
    shown = capsys.readouterr().out
    assert "\nok      params.yaml valid" in shown and "\nmissing" not in shown
    (root / "params.yaml").unlink()
    assert doctor.main() == 1
    assert "missing params.yaml" in capsys.readouterr().out


def test_outside_a_project_the_installation_alone_is_examined(tmp_path, monkeypatch, sound):
    monkeypatch.chdir(tmp_path)
    findings = doctor.examine()
    assert states(findings, "project") == [NOTE] and not states(findings, "params.yaml") and not states(findings, "cache")
    assert MISSING not in [one.state for one in findings]


def test_faults_of_params_are_counted_and_the_rest_is_shown(root, sound):
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("seed: 0", "seed: x").replace("folds: [1]", "folds: [0]"))
    findings = doctor.examine()
    assert states(findings, "params.yaml") == [MISSING] and "1 more faults: finser check" in said(findings, "params.yaml")
    assert states(findings, "cache") == [OK] and not states(findings, "corpora")


@pytest.mark.parametrize(
    ("break_", "name", "words"),
    [
        (lambda: shutil.rmtree(".git"), "project", "no git repository here, and DVC works in one only; run: git init"),
        (lambda: Path("dvc.lock").write_text("schema: '2.0'\nstag"), "project", "cut short"),
        (lambda: Path("local.yaml").write_text("corpora: 3\n"), "inputs", "corpora"),
        (lambda: Path("local.yaml").write_bytes(b"\xff\xfe"), "inputs", "local.yaml: cannot be read"),
    ],
)
def test_faults_of_a_project_are_missing_things(root, sound, break_, name, words):
    break_()
    findings = doctor.examine()
    assert states(findings, name) == [MISSING] and words in said(findings, name)


def test_a_broken_dvc_yaml_does_not_stop_it(root):
    (root / "dvc.yaml").write_text("stages: [\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-m", "finser", "doctor"], capture_output=True, text=True, env=environment)
    assert "cores       cannot be examined" in done.stdout or "missing cores       dvc.yaml: not YAML" in done.stdout
    assert "ok      params.yaml valid" in done.stdout and "Traceback" not in done.stderr and done.returncode == 1


def test_a_folder_that_cannot_be_written(root, sound, monkeypatch):
    """Root may write everywhere: the answer of the system is replaced."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    Path(".dvc/cache").mkdir(parents=True)
    findings = doctor.examine()
    assert states(findings, "project") == [MISSING] and "cannot be written: ., .dvc" in said(findings, "project")
    assert states(findings, "cache") == [MISSING]


def test_a_full_disk(root, sound, monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    findings = doctor.examine()
    assert states(findings, "disk") == [MISSING] and "1.0 kB free" in said(findings, "disk") and "make room" in said(findings, "disk")


def test_a_section_that_fails_is_one_line(root, sound, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    findings = doctor.examine()
    assert states(findings, "cores") == [WARNING] and "cannot be examined (ModuleNotFoundError" in said(findings, "cores")
    assert states(findings, "params.yaml") == [OK]


def test_a_missing_corpus_says_how_to_get_it(root, sound):
    params = presets.tiny().model_copy(update={"fetch": {"ravdess": Local()}})
    (finding,) = doctor.of_corpora(params)
    assert finding.state == MISSING and finding.found.startswith("ravdess: local.yaml: contains no path of RAVDESS")
    assert finding.do == "how to get it: finser corpora"
    layout.raw("ravdess").mkdir(parents=True)
    (layout.raw("ravdess") / "SOURCE.json").write_text(json.dumps({"source": "local"}))
    (finding,) = doctor.of_corpora(params)
    assert (finding.state, finding.found) == (OK, "ravdess: fetched (local)")


def test_libraries_versions_and_extras(tmp_path, monkeypatch):
    faults = {
        "torch": installed.ABSENT,
        "scipy": "ImportError: no libgfortran",
        "sounddevice": "OSError: no PortAudio",
        "fastapi": installed.ABSENT,
    }
    found = list(doctor.of_libraries(["torch", "scipy", "numpy"], faults))
    assert [one.state for one in found] == [MISSING, MISSING] and "not installed: torch" in found[0].found
    (fine,) = doctor.of_libraries(["numpy"], faults)
    assert fine == Finding(OK, "libraries", "all 1 can be imported")
    extras = list(doctor.of_extras({"listen": ["sounddevice"], "serve": ["fastapi", "numpy"], "stretch": ["numpy"]}, faults))
    assert [one.state for one in extras] == [OK, WARNING, NOTE]
    assert extras[0].found == "stretch (numpy)" and extras[2].do == 'pip install "finser[serve]"'
    (tmp_path / "constraints.txt").write_text("# pins\nnumpy==0.1\nrich==0.2\nno-such-package==1.0\n")
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/libraries.yaml").write_text('numpy: "0.1"\n')
    refused, other = doctor.of_versions(tmp_path)
    assert refused.state == MISSING and "stages refuse numpy" in refused.found and "(pinned: 0.1)" in refused.found
    assert other.state == WARNING and "rich" in other.found and "no-such-package" not in other.found


def test_what_pyproject_declares_is_what_is_examined():
    needs, extras = installed.declared()
    assert "torch" in needs and extras["signalsmith"] == ["python-stretch"] and "test" not in extras
    assert installed.module_of("scikit-learn") == "sklearn" and installed.module_of("ruamel.yaml") == "ruamel.yaml"


def test_a_missing_opensmile_is_said_if_params_need_it(root, sound, monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    assert "opensmile" not in said(doctor.examine(), "inputs")
    text = Path("params.yaml").read_text()
    assert text.count("representations: [") == 1
    Path("params.yaml").write_text(text.replace("representations: [", "representations: [egemaps, "))
    findings = doctor.examine()
    assert MISSING in states(findings, "inputs") and 'pip install "finser[opensmile]"' in said(findings, "inputs")


def test_a_probe_goes_on_behind_a_crash(tmp_path, monkeypatch):
    for name, text in (("crashes", "import os; os.abort()"), ("fails", "import no_such_thing"), ("fine", "print('noise')")):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = installed.probe(["fails", "crashes", "absent", "fine"])
    assert found.faults == {
        "fails": "No module named 'no_such_thing'",
        "crashes": "the import ends with status -6",
        "absent": installed.ABSENT,
    }


def test_gpus(monkeypatch):
    (none,) = doctor.of_gpus(installed.Probed())
    assert none.state in (NOTE, WARNING) and "on the CPU" in none.found
    (one,) = doctor.of_gpus(installed.Probed(gpus=[("Some card", 16_000_000_000)]))
    assert (one.state, one.found) == (OK, "Some card, 16.0 GB")


def test_bundles_are_named_and_damaged_ones_said(tmp_path, monkeypatch):
    """The hint on models/final is there with bundles and without."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "bundles/old"):
        (tmp_path / name / "members").mkdir(parents=True)
        (tmp_path / name / "config.json").write_text('{"format": 99}')
    (tmp_path / "models/final/svm").mkdir(parents=True)
    really = bundle.read
    monkeypatch.setattr(bundle, "read", lambda path: SimpleNamespace(name="svm") if path == Path("mine") else really(path))
    wrong, right = doctor.of_bundles()
    assert wrong.state == WARNING and "bundles/old/config.json: a bundle of another format" in wrong.found
    assert right == Finding(OK, "bundles", "installed (small_cnn), mine (svm)", "finser bundle svm FOLDER writes one")
    shutil.rmtree("mine")
    shutil.rmtree("bundles")
    (none,) = doctor.of_bundles()
    assert (none.state, none.found, none.do) == (NOTE, "installed (small_cnn)", "finser bundle svm FOLDER writes one")
    shutil.rmtree("models")
    (none,) = doctor.of_bundles()
    assert none == Finding(NOTE, "bundles", "installed (small_cnn)", "docs/predict.md describes how to make your own")


def test_a_missing_example_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere/shipped").mkdir(parents=True)
    for folder in ("shipped", "nosuch"):
        monkeypatch.setattr(bundle, "SHIPPED", tmp_path / "elsewhere" / folder)
        missing, none = doctor.of_bundles()
        assert missing == Finding(WARNING, "bundles", "the example is missing", "install finser again")
        assert none == Finding(NOTE, "bundles", "none", "docs/predict.md describes how to make your own")


def test_a_bundle_that_lost_its_members_is_said_and_files_of_others_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = {"web": '{"port": 1}', "list": "[1]", "number": "3", "cut": '{"members', "binary": "\x00"}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
    shutil.copytree(bundle.SHIPPED, tmp_path / "mine")
    shutil.rmtree(tmp_path / "mine/members")
    wrong, rest = doctor.of_bundles()
    assert wrong.state == WARNING and "mine/members/small_cnn/config.json: a file of the bundle is missing" in wrong.found
    assert (rest.state, rest.found, rest.do) == (NOTE, "installed (small_cnn)", "docs/predict.md describes how to make your own")
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path / "mine")
    damaged = next(doctor.of_bundles())
    assert damaged == Finding(WARNING, "bundles", "the example is damaged (a file of the bundle is missing)", "install finser again")


def test_a_record_of_running_jobs_that_is_cut_short_is_said(root):
    assert states(list(doctor.of_project()), "project") == [OK]
    record = root / ".dvc/tmp/rwlock"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text('{"read"')
    found = list(doctor.of_project())
    assert states(found, "project") == [WARNING, OK] and "rwlock is cut short" in said(found, "project")


def test_long_lines_are_wrapped_and_cut():
    (short,) = doctor.lines([Finding(OK, "params.yaml", "valid", "nothing")])
    assert short == "ok      params.yaml valid; nothing"
    shown = list(doctor.lines([Finding(WARNING, "x", "word " * 200)]))
    assert len(shown) == 4 and shown[-1].endswith(" ...") and max(map(len, shown)) <= 100


def test_the_estimate_is_that_of_the_files_that_stages_write(built, params, monkeypatch):
    """The miniature project has the files of one corpus, of two variants that are as long as the original and one that is not."""
    monkeypatch.chdir(built)
    folders = [
        layout.shards("ravdess"),
        layout.labels("ravdess"),
        *(layout.features(name, "ravdess") for name in ("statistics", "filter_banks", "fins")),
    ]
    written = sum(disk.size_of(folder) for folder in folders)
    rows = list(read_audio(layout.shards("ravdess")))
    clips = sum(row.variant == "original" for row in rows)
    every = sum(len(row.audio) for row in rows) / SR
    lengths = sum(disk.length(params, variant) for variant in params.variants)
    extent = disk.Extent(clips, every / lengths, 0)  # of clips whose variants were as long as `augment` makes them
    bare = params.model_copy(update={"features": params.features.model_copy(update={"encoders": ()})})
    estimated = disk.prepared(bare, extent, pooled=True) - extent.seconds * disk.SAMPLES  # there is no data/audio
    assert estimated == pytest.approx(written, rel=0.1)
    of_encoder = disk.prepared(params, extent, pooled=True) - disk.prepared(bare, extent, pooled=True)
    assert disk.size_of(layout.features("byol_s", "ravdess")) <= of_encoder == clips * disk.EMBEDDED


def test_the_estimate_before_a_run_is_near_that_after_it(tmp_path, monkeypatch):
    """The demo's data were 1,845,937,526 bytes."""
    monkeypatch.chdir(tmp_path)
    assert disk.needed(presets.demo()) == pytest.approx(1_845_937_526, rel=0.1)
    with pytest.raises(FinserError, match="contains no path of RAVDESS"):
        disk.needed(presets.tiny().model_copy(update={"fetch": {"ravdess": Local()}}))


def test_rates_of_published_corpora_are_those_of_their_imitations():
    assert {corpus: rate for corpus, (_, rate) in disk.PUBLISHED.items()} == {name: channel.rate for name, channel in CHANNELS.items()}


@pytest.mark.parametrize(("name", "numbers"), [("egemaps", 88), ("compare_2016", 6373)])
def test_the_estimate_includes_functionals_of_every_variant(params, name, numbers):
    extent = disk.Extent(10, 30.0, 0)
    added = {"representations": (*params.features.representations, name)}
    more = params.model_copy(update={"features": params.features.model_copy(update=added)})
    assert disk.prepared(more, extent, True) - disk.prepared(params, extent, True) == 10 * len(params.variants) * 4 * numbers
