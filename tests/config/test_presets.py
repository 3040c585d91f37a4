"""Presets: the published experiment's corpora, and what `local` finds."""

import pytest

from finser import models as classifiers
from finser.config import presets
from finser.config.schema import Download, Local
from finser.corpora import local, ravdess, registry, savee
from finser.corpora.folders import audio_files
from finser.errors import FinserError

NAMES = {"RAVDESS": "Actor_0{0}/03-01-01-01-01-01-0{0}.wav", "TESS": "OAF_angry/OAF_{}_angry.wav"}


def fake_corpus(folder, files: int) -> None:
    for number in range(1, files + 1):
        path = folder / NAMES[folder.name].format(number if folder.name == "RAVDESS" else "word" * number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF" + bytes(number))


def test_local_records_what_it_found(tmp_path):
    fake_corpus(tmp_path / "RAVDESS", 3)
    fake_corpus(tmp_path / "TESS", 2)
    made = presets.make("local", tmp_path, allow_partial=True)
    assert (made.corpora, made.pooled) == (("ravdess", "tess", "esd"), ("ravdess", "tess"))
    assert (made.fetch["ravdess"].files, made.fetch["ravdess"].bytes) == (3, 4 * 3 + 1 + 2 + 3)
    assert made.fetch["esd"].source == "synthetic" and made.train_fin.data.corpora == ("esd",)
    assert made.unseen_corpora == ("ravdess", "tess")


def test_partial_corpus_is_refused_unless_allowed(tmp_path):
    fake_corpus(tmp_path / "TESS", 2)
    with pytest.raises(
        FinserError,
        match=r"TESS is incomplete; expected 2800 clips; found 2 clips, 2798 missing: none of tess/YAF; .*OAF_word_disgust.*--allow",
    ):
        presets.make("local", tmp_path)


def test_some_corpus_must_have_three_or_more_speakers(tmp_path):
    fake_corpus(tmp_path / "TESS", 2)
    with pytest.raises(FinserError, match="too few speakers"):
        presets.make("local", tmp_path, allow_partial=True)
    fake_corpus(tmp_path / "RAVDESS", 2)  # two of its speakers: too few, though the corpus has 24
    with pytest.raises(FinserError, match="too few speakers"):
        presets.make("local", tmp_path, allow_partial=True)
    for speaker in ("DC", "JE", "JK"):
        (tmp_path / "SAVEE" / speaker).mkdir(parents=True)
        (tmp_path / "SAVEE" / speaker / "a01.wav").write_bytes(b"RIFF")
    assert presets.make("local", tmp_path, allow_partial=True).pooled == ("ravdess", "tess", "savee")


def test_empty_corpus_folder_is_refused(tmp_path):
    (tmp_path / "RAVDESS").mkdir()
    with pytest.raises(FinserError, match="RAVDESS"):
        presets.make("local", tmp_path, allow_partial=True)


def test_no_corpus_at_all(tmp_path):
    with pytest.raises(FinserError):
        presets.make("local", tmp_path)


def test_folder_goes_with_local_and_paper_only(tmp_path):
    with pytest.raises(FinserError, match="the preset demo takes no folder"):
        presets.make("demo", tmp_path)
    with pytest.raises(FinserError, match="the preset local needs a folder"):
        presets.make("local")


def test_allow_partial_goes_with_a_folder():
    with pytest.raises(FinserError, match="--allow-partial is about a folder"):
        presets.make("open", allow_partial=True)


def test_a_corpus_that_is_whole_is_not_marked_as_partial(tmp_path):
    for speaker in ("DC", "JE", "JK", "KL"):
        (tmp_path / "SAVEE" / speaker).mkdir(parents=True)
        for emotion, count in {"a": 15, "d": 15, "f": 15, "h": 15, "n": 30, "sa": 15, "su": 15}.items():
            for number in range(1, count + 1):
                (tmp_path / "SAVEE" / speaker / f"{emotion}{number:02d}.wav").write_bytes(b"RIFF")
    fake_corpus(tmp_path / "TESS", 2)
    made = presets.make("local", tmp_path, allow_partial=True)
    assert {corpus: made.fetch[corpus].allow_partial for corpus in made.pooled} == {"tess": True, "savee": False}


def write_clips(folder, clips) -> None:
    for clip in clips:
        path = folder / f"{clip.partition('/')[2]}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")


def test_a_doubled_tree_that_lacks_a_clip_is_accepted_by_fetch_too(tmp_path):
    """Kaggle's RAVDESS holds every clip twice: 2,878 files, 1,439 clips of 1,440."""
    clips = list(ravdess.every())[:-1]
    write_clips(tmp_path / "RAVDESS", clips)
    write_clips(tmp_path / "RAVDESS/audio_speech_actors_01-24", clips)
    with pytest.raises(FinserError, match="expected 1440 clips; found 1439 clips"):
        presets.make("local", tmp_path)
    source = presets.make("local", tmp_path, allow_partial=True).fetch["ravdess"]
    assert (source.files, source.allow_partial) == (2878, True)
    local.copy(source, "ravdess", tmp_path / "copy")
    assert len(audio_files(tmp_path / "copy")) == 2878


def test_local_says_what_it_took_and_what_it_left_out(tmp_path, capsys):
    fake_corpus(tmp_path / "RAVDESS", 3)
    (tmp_path / "RAVDESS").rename(tmp_path / "Ravdess")
    fake_corpus(tmp_path / "TESS", 2)
    write_clips(tmp_path / "Savee", savee.every())
    (tmp_path / "Emodb").mkdir()
    made = presets.make("local", tmp_path, allow_partial=True)
    said = capsys.readouterr().err
    assert made.pooled == ("ravdess", "tess", "savee")
    assert f"ravdess: {tmp_path}/Ravdess: 3 files, 3 of 1,440 clips, accepted as partial\n" in said
    assert f"savee: {tmp_path}/Savee: 480 files, 480 of 480 clips\n" in said
    assert "left out, because this preset takes no such corpus: Emodb\n" in said
    presets.make("ravdess", tmp_path, allow_partial=True)
    assert "corpus: Emodb, Savee, TESS\n" in capsys.readouterr().err


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(FinserError, match="did you mean 'demo'"):
        presets.make("demmo")


def test_paper_is_the_published_experiment():
    made = presets.make("paper")
    assert made.pooled == made.unseen_corpora == ("ravdess", "crema_d", "tess", "savee")
    assert made.train_fin.data.corpora == ("esd",)


def test_paper_takes_from_a_folder_what_lies_there(tmp_path):
    (tmp_path / "SAVEE" / "DC").mkdir(parents=True)
    (tmp_path / "SAVEE" / "DC" / "a01.wav").write_bytes(b"RIFF")
    with pytest.raises(FinserError, match="SAVEE is incomplete"):
        presets.make("paper", tmp_path)
    made = presets.make("paper", tmp_path, allow_partial=True)
    assert (made.fetch["savee"].source, made.fetch["savee"].path) == ("local", tmp_path / "SAVEE")
    assert {made.fetch[corpus].source for corpus in ("ravdess", "crema_d", "tess", "esd")} == {"download"}


def test_ravdess_alone_does_not_ask_for_other_corpora_in_its_folder(tmp_path):
    fake_corpus(tmp_path / "RAVDESS", 3)
    (tmp_path / "TESS").mkdir()  # empty: an error to `local`
    with pytest.raises(FinserError, match="RAVDESS is incomplete"):
        presets.make("ravdess", tmp_path)
    made = presets.make("ravdess", tmp_path, allow_partial=True)
    assert (made.corpora, made.pooled) == (("ravdess", "esd"), ("ravdess",))
    assert (made.fetch["ravdess"].source, made.fetch["ravdess"].files, made.folds) == ("local", 3, (1, 2, 3, 4, 5))


def test_ravdess_wants_ravdess(tmp_path):
    fake_corpus(tmp_path / "TESS", 2)
    with pytest.raises(FinserError, match="no RAVDESS here"):
        presets.make("ravdess", tmp_path, allow_partial=True)
    assert presets.make("ravdess").fetch["ravdess"].source == "download"


def test_ravdess_has_learning_curves_and_compares_what_imitation_gives_with_scratch():
    made = presets.make("ravdess")
    sections = made.train_classifier
    assert [sections[f"small_cnn_{share}"].speakers for share in (10, 20, 50)] == [0.1, 0.2, 0.5]
    for taught, scratch in made.summarise.pairs[5:]:
        alike = sections[taught].model_dump(exclude={"init", "trunk"}) == sections[scratch].model_dump(exclude={"init", "trunk"})
        assert alike and (sections[taught].init, sections[scratch].init) == ("imitation", "scratch")
    assert {taught for taught, _ in made.summarise.pairs[5:]} == {
        "small_cnn_taught",
        "small_cnn_20_taught",
        "resnet18_taught",
        "ast_taught",
    }


def test_open_leaves_every_corpus_out_once():
    made = presets.make("open")
    assert "cross_corpus" in made.protocols and len(made.folds) == len(made.pooled) == 3


def test_arms_that_are_compared_have_as_many_weights_that_learn():
    """Else a difference between them could be one of capacity."""
    sections = {name: section for name, section in presets.full().items() if section.model == "fin_ensemble"}
    learned = {name: classifiers.begin(section, (0,)).n_params for name, section in sections.items()}
    assert {section.arm for section in sections.values()} == {"librosa", "frozen", "tuned", "formula", "uninitialised"}
    assert max(learned.values()) < 1.005 * min(learned.values()), learned


@pytest.mark.parametrize("found", [("ravdess",), ("tess", "savee"), ("ravdess", "crema_d", "tess", "savee"), ("esd",), ("esd", "tess")])
def test_fins_learn_from_a_synthesised_corpus_under_a_free_name(found):
    made = presets._with_teacher({corpus: Download(source="download") for corpus in found})
    (teacher,) = made["train_fin"].data.corpora
    assert made["pooled"] == found and teacher not in found and made["corpora"] == (*found, teacher)
    assert made["fetch"][teacher].speakers >= 3, "to train, validate and test on"


def test_fins_learn_from_esd_where_all_five_are_there(capsys):
    made = presets._with_teacher({corpus: Download(source="download") for corpus in registry.CORPORA})
    assert made["train_fin"].data.corpora == ("esd",) and set(made["pooled"]) == set(registry.CORPORA) - {"esd"}
    assert made["fetch"]["esd"].source == "download" and "FINs learn from esd" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["demo", "tiny", "ravdess", "open", "paper"])
def test_fins_of_a_preset_hear_no_speaker_that_a_fold_tests(name):
    """Corpora that no classifier is tested on, or the training speakers of the one fold of the one protocol that is run."""
    made = presets.make(name)
    data = made.train_fin.data
    alone = (made.protocols, made.folds) == (("speaker",), (data.fold,))
    assert alone or not set(data.corpora) & set(made.pooled)


def test_esd_of_two_speakers_cannot_teach(tmp_path, monkeypatch):
    """Where RAVDESS, CREMA-D and SAVEE are all there, too, so that no name is free for a synthesised corpus."""
    found = {
        corpus: Local(source="local", path=tmp_path / corpus, files=1, bytes=1, digest="sha256:" + 64 * "0") for corpus in registry.CORPORA
    }
    monkeypatch.setattr(presets, "_found", lambda folder, *, allow_partial: found)
    monkeypatch.setattr(local, "speakers", lambda path, corpus: {"0001", "0002"} if corpus == "esd" else set("abcd"))
    with pytest.raises(FinserError, match="esd: too few speakers of esd; expected three or more, since FINs learn from it"):
        presets.make("local", tmp_path)
