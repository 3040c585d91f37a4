import csv
import os
import re
import unicodedata
from pathlib import Path

import pytest
import yaml

from finser.corpora.recipes.write import RECIPES, options_of, write
from finser.corpora.tables.reading import COLUMNS
from finser.emotions import EMOTIONS
from finser.errors import FinserError

ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
TABLE = (ROOT / "docs" / "own_corpora.md").read_text(encoding="utf-8").split("## The table")[1].split("\n## ")[0]
OTHER_NAMES = {"boredom", "contempt"}  # emotions that the five corpora do not have


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_is_sorted_and_has_the_columns_that_are_filled(tree, tmp_path):
    root = tree("wav/b/03a01Fa.wav", "wav/10a01Na.wav", "wav/a/16b01Wa.wav")
    assert write("emodb", root, tmp_path / "emodb.csv") == 3
    found = read(tmp_path / "emodb.csv")
    assert list(found[0]) == ["path", "speaker", "emotion", "sex", "language", "sentence"]
    assert [row["path"] for row in found] == ["wav/10a01Na.wav", "wav/a/16b01Wa.wav", "wav/b/03a01Fa.wav"]
    assert found[1]["sentence"] == "Was sind denn das für Tüten, die da unter dem Tisch stehen?"  # a comma, and letters beyond ASCII


def test_the_same_folder_gives_the_same_bytes(tree, tmp_path):
    root = tree("wav/03a01Fa.wav", "wav/10a01Na.wav")
    for name in ("one.csv", "two.csv"):
        write("emodb", root, tmp_path / name)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_a_path_in_decomposed_unicode_stays_as_it_is(tree, tmp_path):
    name = unicodedata.normalize("NFD", "für mich/03a01Fa.wav")
    root = tree(name)
    write("emodb", root, tmp_path / "emodb.csv")
    (row,) = read(tmp_path / "emodb.csv")
    assert row["path"] == name and (root / row["path"]).exists()


def test_a_failure_leaves_the_old_table(tree, tmp_path):
    target = tmp_path / "emodb.csv"
    target.write_text("old")
    with pytest.raises(FinserError, match="unknown emotion code"):
        write("emodb", tree("wav/03a01Fa.wav", "wav/03a01Xa.wav"), target)
    assert target.read_text() == "old"
    assert not list(tmp_path.glob(".partial*"))


def test_names_that_are_not_utf_8_are_refused(tree, tmp_path):
    root = tree("wav/03a01Fa.wav")
    (root / "wav").rename(os.fsdecode(os.fsencode(root) + b"/w\xe4v"))
    with pytest.raises(FinserError, match="names that are not UTF-8; found 1"):
        write("emodb", root, tmp_path / "emodb.csv")


def test_an_empty_table_is_refused(tree, tmp_path):
    table = "FileName,EmoClass,SpkrID,Gender,Split_Set\nMSP-PODCAST_0001_0001.wav,N,Unknown,Male,Train\n"
    root = tree({"Labels/labels_consensus.csv": table}, "Audios/MSP-PODCAST_0001_0001.wav")
    with pytest.raises(FinserError, match="no clip is left"):
        write("msp_podcast", root, tmp_path / "table.csv")


def test_a_clip_without_speaker_is_refused(tree, tmp_path):
    header = "Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID"
    speakers = {"train": "Ross", "dev": "", "test": "Ross"}
    texts = {f"{split}_sent_emo.csv": f"{header}\nHi,{who},joy,0,0\n" for split, who in speakers.items()}
    root = tree(texts, *(f"{split}/dia0_utt0.wav" for split in speakers))
    with pytest.raises(FinserError, match="clips without speaker; found 1: dev/dia0_utt0.wav"):
        write("meld", root, tmp_path / "table.csv")


def test_mistyped_names_and_missing_folders(tmp_path):
    with pytest.raises(FinserError, match="no recipe for 'emobd'; did you mean 'emodb'"):
        write("emobd", tmp_path, tmp_path / "table.csv")
    for name in sorted(RECIPES):
        with pytest.raises(FinserError) as error:
            write(name, tmp_path / "none", tmp_path / "table.csv")
        assert len(str(error.value).splitlines()) == 1 and str(tmp_path / "none") in str(error.value)


@pytest.mark.parametrize("name", RECIPES)
def test_suggested_emotions_are_names_of_the_project(name):
    suggested = RECIPES[name].EMOTIONS
    assert set(suggested.values()) <= {*EMOTIONS, *OTHER_NAMES, None}
    assert all(theirs == ours for theirs, ours in suggested.items() if theirs in EMOTIONS)


@pytest.mark.parametrize("name", RECIPES)
def test_the_documentation_has_a_section_with_the_suggestion(name):
    (section,) = [part for part in re.split(r"^## ", DOCS, flags=re.MULTILINE) if f"finser corpora table {name} " in part]
    for said in ("**Download**", "**Licence**", "**Sources**", "finser corpora add "):
        assert said in section
    blocks = re.findall(r"```yaml\n(.*?)```", section, flags=re.DOTALL)
    assert [yaml.safe_load(block) for block in blocks] == ([{"emotions": RECIPES[name].EMOTIONS}] if RECIPES[name].EMOTIONS else [])


def test_the_documentation_names_every_column():
    for column in COLUMNS:
        assert f"`{column}`" in TABLE


def test_options_are_those_of_the_recipe():
    assert options_of("msp_podcast", ["tests=Test1,Test2"]) == {"tests": ("Test1", "Test2")}
    assert options_of("hugging_face", ["emotion=label", "language=de"]) == {"emotion": "label", "language": "de"}
    for name, text, said in (
        ("emodb", "a=b", "emodb has no options"),
        ("msp_podcast", "test=Test1", "did you mean 'tests'?"),
        ("hugging_face", "folder=x", "no option of the recipe hugging_face"),
        ("hugging_face", "emotion", "expected NAME=VALUE"),
    ):
        with pytest.raises(FinserError, match=re.escape(said)):
            options_of(name, [text])
