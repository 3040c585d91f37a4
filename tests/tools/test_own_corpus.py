"""`finser corpora add` writes params.yaml and local.yaml, and `finser corpora` shows what there is."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from finser import layout
from finser.config import dump, params, presets
from finser.corpora import index
from finser.corpora.recipes.write import RECIPES
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.fetching.fetch import fetch
from finser.tools.overview import configured, overview
from finser.tools.own_corpus import add, proposals

COMMENT = "# a remark of the user"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the preset tiny and a remark, and a folder with a table of four speakers beside it."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    text = dump.dump(presets.make("tiny"))
    Path("params.yaml").write_text(text.replace("# Which clips are usable.", f"{COMMENT}\n# Which clips are usable."))
    return tmp_path


def write_table(folder: Path, labels=("anger", "boredom", "sad", "sad"), head=("path", "speaker", "emotion")) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(len(labels)):
        (folder / f"{number}.wav").touch()
    with (folder / "t.csv").open("w", newline="") as file:
        rows = [[f"{number}.wav", f"s{number}", label, "x"][: len(head)] for number, label in enumerate(labels)]
        csv.writer(file).writerows([head, *rows])
    return folder / "t.csv"


def applied(*arguments, **options):
    """Add a corpus, and write what the command writes."""
    added = add(*arguments, **options)
    Path("params.yaml").write_text(added.params)
    Path("local.yaml").write_text(added.places)
    return added.said


def test_a_section_a_path_and_what_each_label_becomes(project):
    table = write_table(project / "mine")
    before = Path("params.yaml").read_text()
    said = applied("own", table, title="My own", language="de")
    loaded = params.load()
    assert loaded.corpora == loaded.pooled == ("ravdess", "own")
    assert loaded.fetch["own"].emotions == {"anger": "angry", "boredom": None}
    assert (loaded.fetch["own"].title, loaded.fetch["own"].language) == ("My own", "de")
    assert yaml.safe_load(Path("local.yaml").read_text()) == {"corpora": {"own": str(table.resolve())}}
    assert said[:4] == [
        "own: 4 clips of 4 speakers in 4 files",
        "  'sad', 2 clips: sad",
        "  'anger', 1 clips: angry",
        "  'boredom', 1 clips: left out (null)",
    ]
    lines = Path("params.yaml").read_text().splitlines()
    changed = [line for line in lines if line not in before.splitlines()]
    assert COMMENT in lines and [line.split(":")[0].strip() for line in changed] == ["corpora", "pooled", "own"]
    assert lines[lines.index(next(line for line in lines if line.startswith("  own:"))) - 1].startswith("  ravdess:")


def test_adding_again_keeps_what_was_chosen(project):
    table = write_table(project / "mine")
    applied("own", table, title="First")
    text = Path("params.yaml").read_text().replace("boredom: null", "boredom: neutral")
    Path("params.yaml").write_text(text)
    write_table(project / "mine", ("anger", "boredom", "Ärger", "sad"))
    applied("own", table, licence="mine")
    section = params.load().fetch["own"]
    assert section.emotions == {"anger": "angry", "boredom": "neutral", "Ärger": None}
    assert (section.title, section.licence, params.load().corpora) == ("First", "mine", ("ravdess", "own"))


def test_only_takes_out_what_no_fin_is_trained_on(project):
    Path("params.yaml").write_text(dump.dump(presets.make("demo")))
    applied("own", write_table(project / "mine"), only=True)
    loaded = params.load()
    assert (loaded.corpora, loaded.pooled, set(loaded.fetch)) == (("esd", "own"), ("own",), {"esd", "own"})


def test_columns_of_other_names(project):
    table = write_table(project / "mine", ("sad",) * 4, head=("file", "who", "label"))
    with pytest.raises(FinserError, match=r"no columns 'path', 'speaker', 'emotion'; found file, who, label; .*--column emotion=label"):
        add("own", table)
    applied("own", table, columns=("path=file", "speaker=who", "emotion=label"))
    assert params.load().fetch["own"].columns == {"path": "file", "speaker": "who", "emotion": "label"}
    for text in ("path", "name=file", "path="):
        with pytest.raises(FinserError, match="no pair of names"):
            add("own", table, columns=(text,))


def test_another_root(project):
    table, wavs = write_table(project / "mine"), project / "wavs"
    wavs.mkdir()
    for number in range(4):
        (wavs / f"{number}.wav").touch()
        (project / f"mine/{number}.wav").unlink()
    with pytest.raises(FinserError, match="no such file, e.g. '0.wav': lines 2, 3, 4 and 5"):
        add("own", table)
    applied("own", table, wavs)
    assert yaml.safe_load(Path("local.yaml").read_text())["roots"] == {"own": str(wavs.resolve())}
    assert any("found: 4 clips" in line for line in configured(params.load(), "own"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ravdess", "'ravdess' is a corpus of params.yaml with the source synthetic; take another name"),
        ("tess", "fetch.tess has the source table, and tess is a published corpus: take another name for your own"),
        ("My-Own", "My-Own: no name of a corpus; expected lower-case letters, digits and _"),
    ],
)
def test_names_that_cannot_be(project, name, said):
    before = Path("params.yaml").read_text()
    with pytest.raises(FinserError) as error:
        add(name, write_table(project / "mine"))
    assert said in str(error.value) and Path("params.yaml").read_text() == before


def test_the_recipe_of_the_same_name_suggests_emotions(project):
    applied("emodb", write_table(project / "mine", ("anxiety/fear", "anger", "boredom", "neutral")))
    assert params.load().fetch["emodb"].emotions == {"anger": "angry", "anxiety/fear": "fear", "boredom": None}


def test_an_emotion_that_the_classes_lack_is_not_proposed(project):
    lines = [line for line in Path("params.yaml").read_text().splitlines() if not line.startswith("emotions:")]
    Path("params.yaml").write_text("\n".join(["emotions: [happy, sad]", *lines]) + "\n")
    said = applied("own", write_table(project / "mine", ("joy", "anger", "fear", "sad")))
    assert params.load().fetch["own"].emotions == {"anger": None, "joy": "happy"}
    assert "  'fear', 1 clips: fear (not in the key emotions of params.yaml: left out)" in said


def test_the_overview_says_what_is_configured_found_and_ignored(project):
    table = write_table(project / "mine", head=("path", "speaker", "emotion", "note"))
    (project / "mine/extra.mp3").touch()
    (project / "mine/._0.wav").touch()
    applied("own", table)
    lines = list(overview(params.load()))
    place = lines.index("own: source table")
    assert lines[place + 1 : place + 5] == [
        f"  table: {table}; its paths are relative to {table.parent}",
        "  found: 4 clips of 4 speakers in 4 files",
        "  columns that are not used: note",
        "  ignored: 1 audio files that the table does not list, e.g. extra.mp3",
    ]
    table.unlink()
    assert f"  fault: {table}: no such table" in list(configured(params.load(), "own"))


def test_the_overview_counts_what_the_stages_made(project):
    folder = project / "mine"
    table = write_table(folder)
    for number in range(4):
        soundfile.write(folder / f"{number}.wav", 0.1 * np.sin(np.arange(3000) * (number + 1) / 9), 16_000)
    applied("own", table)
    fetch(params.load(), "own")
    index.index(params.load(), "own")
    assert list(configured(params.load(), "own"))[-2:] == [
        f"  fetched: {layout.raw('own')}, source table, 4 files",
        "  index: 3 clips kept, 1 excluded",
    ]


def test_a_partial_folder_is_said(project, monkeypatch):
    (project / "RAVDESS/Actor_01").mkdir(parents=True)
    (project / "RAVDESS/Actor_01/03-01-05-02-01-01-01.wav").write_bytes(b"x")
    (project / "RAVDESS/Actor_01/notes.docx").write_bytes(b"x")
    (project / "Other").mkdir()
    monkeypatch.setenv("FINSER_DATA_HOME", str(project))
    text = Path("params.yaml").read_text().replace("{source: synthetic, speakers: 5, clips_per_emotion: 1}", "{source: local}")
    Path("params.yaml").write_text(text)
    lines = list(overview(params.load()))
    assert "  found: 1 files, 1 of 1,440 clips, partial: refused (allow_partial is false)" in lines
    assert "  ignored: files with the suffixes .docx" in lines
    assert lines[-1].endswith("folders of no corpus, ignored: Other, project")


@pytest.mark.parametrize("label", ["12:30", "a: b", "1", "null", "it's", '"', "{x}", "? a", "#1", "- a", "Ärger, neu", "2020-01-01"])
def test_any_label_can_be_read_back(project, label):
    applied("own", write_table(project / "mine", labels=(label, "sad", "sad", "sad")))
    assert params.load().fetch["own"].emotions == {label: None}


def test_a_label_that_is_a_class_is_proposed_as_itself(project):
    text = Path("params.yaml").read_text()
    classes = "emotions: [neutral, calm, happy, sad, angry, fear, disgust, surprise]"
    assert classes in text
    Path("params.yaml").write_text(text.replace(classes, "emotions: [sad, boredom]"))
    applied("own", write_table(project / "mine", labels=("anger", "Boredom", "sad", "sad")))
    assert params.load().fetch["own"].emotions == {"anger": None, "Boredom": "boredom"}


def test_what_a_folder_holds_beside_the_table_is_said(project):
    table = write_table(project / "mine")
    for name in ("more.aif", "other.OPUS", "notes.txt", "README"):
        (table.parent / name).touch()
    applied("own", table)
    said = "\n".join(configured(params.load(), "own"))
    assert "ignored: 2 audio files that the table does not list, e.g. more.aif" in said
    assert "ignored: files with the suffixes .txt, none" in said


def test_a_table_that_is_a_link_lists_files_beside_the_link(project):
    """As git-annex and DVC store it."""
    table = write_table(project / "mine")
    (project / "store").mkdir()
    table.rename(project / "store/t.csv")
    table.symlink_to(project / "store/t.csv")
    applied("own", table)
    assert "found: 4 clips" in "\n".join(configured(params.load(), "own"))


def test_the_root_belongs_to_its_table(project):
    recordings = write_table(project / "mine").parent
    for name in ("tables", "other"):
        write_table(project / name)
    table = project / "tables/t.csv"
    for path in (project / "tables").glob("*.wav"):
        path.unlink()
    applied("own", table, recordings)
    applied("own", table)  # again, with the root that local.yaml has
    assert "found: 4 clips" in "\n".join(configured(params.load(), "own"))
    applied("own", project / "other/t.csv")
    assert yaml.safe_load(Path("local.yaml").read_text()) == {"corpora": {"own": str((project / "other/t.csv").absolute())}}


def test_columns_that_are_named_are_kept(project):
    table = write_table(project / "mine", head=("file", "who", "label"))
    applied("own", table, columns=("path=file", "speaker=who", "emotion=label"))
    applied("own", table, columns=("emotion=label",), title="New")
    assert params.load().fetch["own"].columns == {"path": "file", "speaker": "who", "emotion": "label"}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipes_labels_become_what_it_says(name):
    said = {label: emotion for label, emotion in RECIPES[name].EMOTIONS.items() if label not in EMOTIONS}
    assert proposals(said, name, (*EMOTIONS, *filter(None, said.values()))) == said
