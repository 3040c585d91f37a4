"""What `finser preset` and `finser migrate` write, and where data of this machine lie."""

import re
from pathlib import Path

import pytest
import yaml

from finser.config import locations, presets
from finser.config.dump import dump
from finser.config.params import Params, load
from finser.config.reading import read
from finser.config.sections.fetch import Local
from finser.corpora import local
from finser.corpora.known import ravdess, registry, savee
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.tools import preset

NAMES = {"RAVDESS": "Actor_0{0}/03-01-01-01-01-01-0{0}.wav", "TESS": "OAF_angry/OAF_{}_angry.wav"}


@pytest.fixture(autouse=True)
def root(tmp_path_factory, monkeypatch) -> Path:
    """The folder that local.yaml is written to."""
    monkeypatch.chdir(tmp_path_factory.mktemp("root"))


def make(name: str, folder: Path) -> Params:
    """Write the files of a preset, partial corpora accepted, and read them."""
    text, places = preset.make(name, folder, allow_partial=True)
    Path("params.yaml").write_text(text)
    Path("local.yaml").write_text(places)
    return load()


def located() -> dict:
    return yaml.safe_load(Path("local.yaml").read_text())


def fake_corpus(folder, files: int) -> None:
    for number in range(1, files + 1):
        path = folder / NAMES[folder.name].format(number if folder.name == "RAVDESS" else "word" * number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF" + bytes(number))


def test_local_writes_where_corpora_lie(tmp_path):
    fake_corpus(tmp_path / "RAVDESS", 3)
    fake_corpus(tmp_path / "TESS", 2)
    made = make("local", tmp_path)
    assert (made.corpora, made.pooled) == (("ravdess", "tess", "esd"), ("ravdess", "tess"))
    assert located() == {"corpora": {"ravdess": str(tmp_path / "RAVDESS"), "tess": str(tmp_path / "TESS")}}
    assert made.fetch["ravdess"] == Local(allow_partial=True)
    assert made.fetch["esd"].source == "synthetic" and made.train_fin.data.corpora == ("esd",)
    assert made.unseen_corpora == ("ravdess", "tess")


def test_local_names_the_emotions_that_its_pooled_corpora_have(tmp_path, monkeypatch):
    fake_corpus(tmp_path / "TESS", 2)
    monkeypatch.setattr(preset, "check_speakers", lambda *_: None)
    assert make("local", tmp_path).emotions == ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
    fake_corpus(tmp_path / "RAVDESS", 3)
    assert make("local", tmp_path).emotions == EMOTIONS


def test_partial_corpus_is_refused_unless_allowed(tmp_path):
    fake_corpus(tmp_path / "TESS", 2)
    with pytest.raises(
        FinserError,
        match=r"TESS is incomplete; expected 2800 clips; found 2 clips, 2798 missing: none of tess/YAF; .*OAF_word_disgust.*--allow",
    ):
        preset.make("local", tmp_path)


def test_all_incomplete_corpora_are_listed(tmp_path):
    fake_corpus(tmp_path / "RAVDESS", 3)
    fake_corpus(tmp_path / "TESS", 2)
    with pytest.raises(FinserError) as caught:
        preset.make("local", tmp_path)
    first, second = str(caught.value).splitlines()
    assert "RAVDESS" in first and "TESS" in second


def test_some_corpus_must_have_three_or_more_speakers(tmp_path):
    fake_corpus(tmp_path / "TESS", 2)
    with pytest.raises(FinserError, match="too few speakers"):
        make("local", tmp_path)
    fake_corpus(tmp_path / "RAVDESS", 2)  # two of its speakers: too few, though the corpus has 24
    with pytest.raises(FinserError, match="too few speakers"):
        make("local", tmp_path)
    for speaker in ("DC", "JE", "JK"):
        (tmp_path / "SAVEE" / speaker).mkdir(parents=True)
        (tmp_path / "SAVEE" / speaker / "a01.wav").write_bytes(b"RIFF")
    assert make("local", tmp_path).pooled == ("ravdess", "tess", "savee")


def test_empty_corpus_folder_is_refused(tmp_path):
    (tmp_path / "RAVDESS").mkdir()
    with pytest.raises(FinserError, match="RAVDESS"):
        make("local", tmp_path)


def test_no_corpus_at_all(tmp_path):
    with pytest.raises(FinserError):
        preset.make("local", tmp_path)


def test_allow_partial_goes_with_a_folder():
    with pytest.raises(FinserError, match="--allow-partial is about a folder"):
        preset.make("open", allow_partial=True)


def test_a_corpus_that_is_whole_is_not_marked_as_partial(tmp_path):
    for speaker in ("DC", "JE", "JK", "KL"):
        (tmp_path / "SAVEE" / speaker).mkdir(parents=True)
        for emotion, count in {"a": 15, "d": 15, "f": 15, "h": 15, "n": 30, "sa": 15, "su": 15}.items():
            for number in range(1, count + 1):
                (tmp_path / "SAVEE" / speaker / f"{emotion}{number:02d}.wav").write_bytes(b"RIFF")
    fake_corpus(tmp_path / "TESS", 2)
    made = make("local", tmp_path)
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
        preset.make("local", tmp_path)
    source = make("local", tmp_path).fetch["ravdess"]
    assert source.allow_partial
    assert local.copy(local.folder_of("ravdess"), source, "ravdess", tmp_path / "copy")["files"] == 2878
    assert len(local.audio_files(tmp_path / "copy")) == 2878


def test_local_says_what_it_took_and_what_it_left_out(tmp_path, capsys):
    fake_corpus(tmp_path / "RAVDESS", 3)
    (tmp_path / "RAVDESS").rename(tmp_path / "Ravdess")
    fake_corpus(tmp_path / "TESS", 2)
    write_clips(tmp_path / "Savee", savee.every())
    (tmp_path / "Emodb").mkdir()
    made = make("local", tmp_path)
    said = capsys.readouterr().err
    assert made.pooled == ("ravdess", "tess", "savee")
    assert f"ravdess: {tmp_path}/Ravdess: 3 files, 3 of 1,440 clips, accepted as partial\n" in said
    assert f"savee: {tmp_path}/Savee: 480 files, 480 of 480 clips\n" in said
    assert "left out, because this preset takes no such corpus: Emodb\n" in said
    make("ravdess", tmp_path)
    assert "corpus: Emodb, Savee, TESS\n" in capsys.readouterr().err


def test_paper_takes_from_a_folder_what_lies_there(tmp_path):
    (tmp_path / "SAVEE" / "DC").mkdir(parents=True)
    (tmp_path / "SAVEE" / "DC" / "a01.wav").write_bytes(b"RIFF")
    with pytest.raises(FinserError, match="SAVEE is incomplete"):
        preset.make("paper", tmp_path)
    made = make("paper", tmp_path)
    assert made.fetch["savee"].source == "local" and located() == {"corpora": {"savee": str(tmp_path / "SAVEE")}}
    assert {made.fetch[corpus].source for corpus in ("ravdess", "crema_d", "tess", "esd")} == {"download"}


def test_ravdess_alone_does_not_ask_for_other_corpora_in_its_folder(tmp_path):
    fake_corpus(tmp_path / "RAVDESS", 3)
    (tmp_path / "TESS").mkdir()  # empty: an error to `local`
    with pytest.raises(FinserError, match="RAVDESS is incomplete"):
        preset.make("ravdess", tmp_path)
    made = make("ravdess", tmp_path)
    assert (made.corpora, made.pooled) == (("ravdess", "esd"), ("ravdess",))
    assert (made.fetch["ravdess"].source, list(located()["corpora"]), made.folds) == ("local", ["ravdess"], (1, 2, 3, 4, 5))


def test_ravdess_wants_ravdess(tmp_path):
    fake_corpus(tmp_path / "TESS", 2)
    with pytest.raises(FinserError, match="no RAVDESS here"):
        make("ravdess", tmp_path)
    assert presets.make("ravdess").fetch["ravdess"].source == "download"


def test_fins_are_not_trained_on_an_esd_of_two_speakers(tmp_path, monkeypatch):
    """Where RAVDESS, CREMA-D and SAVEE are all there, too, so that no name is free for a synthetic corpus."""
    paths = {corpus: tmp_path / corpus for corpus in registry.CORPORA}
    monkeypatch.setattr(preset, "found", lambda folder, wanted, *, allow_partial: (paths, dict.fromkeys(paths, Local())))
    monkeypatch.setattr(preset, "speakers", lambda path, corpus: {"0001", "0002"} if corpus == "esd" else set("abcd"))
    with pytest.raises(FinserError, match="esd: too few speakers of esd; expected three or more, since FINs are trained on it"):
        preset.make("local", tmp_path)


def test_other_paths_of_local_yaml_stay(tmp_path):
    Path("local.yaml").write_text("noise: /noise\nweights: {mine: /w.safetensors}\ncorpora: {esd: /esd, tess: /old}\n")
    fake_corpus(tmp_path / "TESS", 2)
    fake_corpus(tmp_path / "RAVDESS", 3)
    make("local", tmp_path)
    corpora = {"esd": "/esd", "ravdess": str(tmp_path / "RAVDESS"), "tess": str(tmp_path / "TESS")}
    assert located() == {"corpora": corpora, "noise": "/noise", "weights": {"mine": "/w.safetensors"}}


OLD = Path(__file__).parents[1] / "config" / "old"


@pytest.mark.parametrize("name", ["demo", "tiny", "open", "ravdess", "paper"])
def test_files_of_the_earlier_format_are_refused_and_migrated(name, tmp_path):
    with pytest.raises(FinserError) as caught:
        load(OLD / f"{name}.yaml")
    assert re.fullmatch(r"\S+.yaml: written for an earlier version of finser \(initialise.*\); run: finser migrate", str(caught.value))
    text, places = preset.migrated(OLD / f"{name}.yaml")
    renamed = re.sub(r"_pretrained\b", "_taught", dump(presets.make(name)))  # sections of the user's own keep their names
    assert (text.split(), places) == (renamed.split(), ""), "shorter names break lines elsewhere"
    (tmp_path / "params.yaml").write_text(text.replace("_taught", "_pretrained"))
    assert load(tmp_path / "params.yaml") == presets.make(name)
    with pytest.raises(FinserError, match="has the present format already"):
        preset.migrated(tmp_path / "params.yaml")


def test_migration_keeps_choices_and_moves_paths(tmp_path):
    """Every key of the earlier format that is gone, and a changed value beside each."""
    values = read(OLD / "demo.yaml")
    found = {"path": "/data/RAVDESS", "files": 3, "bytes": 4, "digest": "sha256:" + 64 * "0"}
    values["fetch"]["ravdess"] = {"source": "local", "allow_partial": True, **found}
    noise = {"folder": "/data/noise", **{name: found[name] for name in ("files", "bytes", "digest")}}
    values["augment"] |= {"variants": ["noise_file", "noise", "speed_pitch"], "noise_file": {**noise, "snr_db": [1.0, 2.0]}}
    weights = {"source": "local", "kind": "ast", "model_size": "nano", "path": "/data/w.safetensors", "sha256": 64 * "0"}
    values["fetch_weights"] = {"given": weights}
    values["train_classifier"]["ast"] |= {"init": "weights", "weights": "given", "epochs": 7}
    values["initialise"]["models"]["ast"] = {"begin": "models/weights/given"}
    values["split"]["folds"] = 4
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    text, places = preset.migrated(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text(text)
    made = load(tmp_path / "params.yaml")
    assert made.fetch["ravdess"] == Local(allow_partial=True) and made.augment.noise_file.snr_db == (1.0, 2.0)
    assert made.fetch_weights["given"].family == "ast"
    assert made.fine_tune["ast"].init == "models/weights/given" and made.fine_tune["ast"].epochs == 7 and made.split.folds == 4
    assert "/data" not in text and "digest" not in text
    expected = {"corpora": {"ravdess": "/data/RAVDESS"}, "noise": "/data/noise", "weights": {"given": "/data/w.safetensors"}}
    assert yaml.safe_load(places) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("initialise", {"models": {}}),
        ("train_classifier.svm.trunk", "small_cnn"),
        ("train_classifier.ast.weights", "given"),
        ("train_classifier.small_cnn.init", "scratch"),
        ("fetch.esd.path", "/data/ESD"),
        ("fetch.esd.digest", "x"),
        ("fetch_weights.given.path", "/data/w"),
        ("fetch_weights.given.kind", "ast"),
        ("augment.noise_file.folder", "/data/noise"),
        ("augment.noise_file.bytes", 1),
    ],
)
def test_each_key_of_the_earlier_format_is_recognised(key, value, tmp_path):
    values = yaml.safe_load(dump(presets.make("demo")))
    *path, last = key.split(".")
    node = values
    for part in path:
        node = node.setdefault(part, {})
    node[last] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(FinserError) as caught:
        load(tmp_path / "params.yaml")
    assert str(caught.value).endswith(f"params.yaml: written for an earlier version of finser ({key}); run: finser migrate")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("corpora: {My-Own: /x}\n", "corpora.My-Own: wrong value; expected a name of lower-case letters, digits and _"),
        ("corpus: {}\n", "unknown key 'corpus'; did you mean 'corpora'?"),
        ("noise: 3\n", "noise: wrong type; expected text; found 3"),
        ("a: [\n", "not YAML"),
    ],
)
def test_a_local_yaml_that_is_wrong_is_one_line(text, said):
    Path("local.yaml").write_text(text)
    with pytest.raises(FinserError) as caught:
        locations.load()
    assert str(caught.value).startswith("local.yaml: ") and said in str(caught.value) and "\n" not in str(caught.value)
