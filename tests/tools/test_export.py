"""The exported folder, read back by Hugging Face `datasets`, against the shards that it was made of."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from finser import cli, layout
from finser.audio import shards
from finser.audio.frames import DIMENSIONS, n_frames
from finser.audio.shards import AudioRow, LabelRow, read_aligned, read_audio, write_audio, write_labels
from finser.config import presets
from finser.config.dump import dump
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.files import write_json
from finser.splits.table import SCHEMA
from finser.tools.export import Selection, export, features, to_flac

SOURCES = {
    "savee": {"title": "SAVEE", "source": "synthetic", "licence": "none: spoken by a synthesizer", "home": "https://savee.invalid"},
    "ravdess": {"title": "RAVDESS", "source": "local", "licence": "CC BY-NC-SA 4.0", "home": "https://ravdess.invalid"},
}
VARIANTS = ("original", "noise", "speed_pitch")
ROLES = ("train", "train", "validation", "test")


def make_corpus(corpus: str) -> None:
    """Four speakers of three clips, each of another emotion, in three variants, with labels."""
    rng = np.random.default_rng(len(corpus))
    rows = []
    for clip in range(12):
        for variant in VARIANTS:
            pcm = rng.integers(-32768, 32768, 1 + 700 * clip, np.int16)
            rows.append(AudioRow(f"{corpus}/a/{clip:02d}", corpus, f"{corpus}/{clip % 4}", EMOTIONS[clip // 4], variant, clip, {}, pcm))
    write_audio(layout.shards(corpus), rows)
    write_labels(layout.labels(corpus), (LabelRow(row.clip_id, row.variant, label_of(row, rng)) for row in rows))
    write_json(layout.raw(corpus) / "SOURCE.json", {"corpus": corpus, **SOURCES[corpus]})


def label_of(row: AudioRow, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: rng.normal(size=(n_frames(len(row.audio)), dim)).astype(np.float32) for name, dim in DIMENSIONS.items()}


def make_split(protocol: str, roles: dict[str, tuple[str, ...]] | None = None) -> None:
    """Roles per corpus and speaker; a corpus that is not in `roles` has no rows."""
    roles = roles or dict.fromkeys(SOURCES, ROLES)
    rows = [
        {"fold": 1, "clip_id": row.clip_id, "corpus": row.corpus, "speaker": row.speaker, "emotion": row.emotion}
        | {"role": roles[corpus][int(row.speaker[-1])]}
        for corpus in roles
        for row in read_audio(layout.shards(corpus))
        if row.variant == "original"
    ]
    layout.split(protocol).parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, SCHEMA.with_metadata({"protocol": protocol}))
    pq.write_table(table, layout.split(protocol))


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """The current folder: a project with two corpora and two splits; `datasets` keeps its cache there and stays offline."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(shards, "ROWS_PER_GROUP", 7)
    monkeypatch.setattr(shards, "GROUPS_PER_PART", 2)
    for corpus in SOURCES:
        make_corpus(corpus)
    make_split("speaker")
    make_split("random")
    return tmp_path


@pytest.fixture
def load(tmp_path):
    datasets = pytest.importorskip("datasets")

    def load(folder="out"):
        loaded = datasets.load_dataset(str(tmp_path / folder), cache_dir=str(tmp_path / "cache"))
        assert loaded["train"].features["audio"] == datasets.Audio(sampling_rate=22_050)
        return {name: rows.cast_column("audio", datasets.Audio(decode=False)) for name, rows in loaded.items()}

    return load


def assert_is(row: dict, audio: AudioRow) -> None:
    samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")
    assert rate == 22_050
    np.testing.assert_array_equal(samples, audio.audio)
    assert {name: row[name] for name in ("clip_id", "corpus", "speaker", "variant", "n_samples")} == {
        "clip_id": audio.clip_id, "corpus": audio.corpus, "speaker": audio.speaker, "variant": audio.variant, "n_samples": len(audio.audio)
    }  # fmt: skip
    assert EMOTIONS[row["emotion"]] == audio.emotion


def test_every_sample_comes_back(load):
    assert export(Selection(("ravdess", "savee"), EMOTIONS, VARIANTS), Path("out")) == {"train": 72}
    loaded = load()
    assert set(loaded) == {"train"}
    expected = [row for corpus in ("ravdess", "savee") for row in read_audio(layout.shards(corpus))]
    for row, audio in zip(loaded["train"], expected, strict=True):
        assert_is(row, audio)
    paths = [row["audio"]["path"] for row in loaded["train"]]
    assert len(set(paths)) == 72
    assert paths[:2] == ["ravdess/a/00.flac", "ravdess/a/00.noise.flac"]
    assert loaded["train"].features["emotion"].names == list(EMOTIONS)


def test_labels_come_along(load):
    export(Selection(("savee",), EMOTIONS, with_labels=True), Path("out"))
    expected = [pair for pair in read_aligned(layout.shards("savee"), layout.labels("savee")) if pair[0].variant == "original"]
    for row, (audio, label) in zip(load()["train"], expected, strict=True):
        assert_is(row, audio)
        for name, array in label.features.items():
            np.testing.assert_array_equal(np.array(row[name], np.float32).reshape(-1, DIMENSIONS[name]), array)


@pytest.mark.parametrize("protocol", ["speaker", "random"])
def test_splits_follow_the_protocol(load, protocol):
    counts = export(Selection(("savee",), EMOTIONS, ("original", "noise"), protocol=protocol, fold=1), Path("out"))
    assert counts == {"train": 12, "validation": 3, "test": 3}
    for name, rows in load().items():
        assert {ROLES[int(speaker[-1])] for speaker in rows["speaker"]} == {name}
        assert set(rows["variant"]) == ({"original", "noise"} if name == "train" else {"original"})
        assert rows.num_rows == counts[name]
    card = Path("out/README.md").read_text()
    assert ("LEAKY" in card) == (protocol == "random")
    assert "not a training split" not in card


def test_clips_of_other_emotions_are_left_out_and_the_numbers_are_those_of_the_classes(load):
    classes = (EMOTIONS[2], EMOTIONS[0])
    assert export(Selection(("savee", "ravdess"), classes), Path("out")) == {"train": 16}, "eight clips of each corpus"
    rows = load()["train"]
    assert rows.features["emotion"].names == list(classes)
    of_clip = {row.clip_id: row.emotion for corpus in SOURCES for row in read_audio(layout.shards(corpus))}
    assert [classes[number] for number in rows["emotion"]] == [of_clip[clip] for clip in rows["clip_id"]]
    assert f"{', '.join(classes)}; a corpus may lack some, and clips of other emotions are left out" in Path("out/README.md").read_text()
    make_split("speaker")
    with pytest.raises(FinserError, match=f"the emotion '{EMOTIONS[1]}' is no class; .*; split again: finser split"):
        export(Selection(("savee",), classes, protocol="speaker", fold=1), Path("stale"))


def test_one_corpus_out_is_exported_as_it_was_split(load):
    make_split("cross_corpus", {"savee": ("train", "train", "validation", "validation"), "ravdess": ("test",) * 4})
    counts = export(Selection(("savee", "ravdess"), EMOTIONS, ("original", "noise"), protocol="cross_corpus", fold=1), Path("out"))
    assert counts == {"train": 12, "validation": 6, "test": 12}
    loaded = load()
    assert {name: set(rows["corpus"]) for name, rows in loaded.items()} == {
        "train": {"savee"},
        "validation": {"savee"},
        "test": {"ravdess"},
    }
    assert set(loaded["test"]["emotion"]) == set(loaded["train"]["emotion"])
    card = Path("out/README.md").read_text()
    assert "One corpus out: test is one corpus" in card and "LEAKY" not in card


@pytest.mark.parametrize("with_labels", [False, True])
def test_features_are_those_that_datasets_writes(with_labels):
    datasets = pytest.importorskip("datasets")
    export(Selection(("savee",), EMOTIONS, with_labels=with_labels), Path("out"))
    made = datasets.Features.from_dict(features(Selection(("savee",), EMOTIONS, with_labels=with_labels)))
    schema = pq.read_schema("out/data/train-00000.parquet")
    assert schema.remove_metadata() == made.arrow_schema.remove_metadata()
    assert json.loads(schema.metadata[b"huggingface"]) == json.loads(made.arrow_schema.metadata[b"huggingface"])
    front = yaml.safe_load(Path("out/README.md").read_text().split("---\n")[1])
    assert front["dataset_info"]["features"] == made._to_yaml_list()


def test_the_audio_is_known_without_the_card(load):
    export(Selection(("savee",), EMOTIONS), Path("out"))
    Path("out/README.md").unlink()
    assert load()["train"].features["emotion"].names == list(EMOTIONS)


def test_the_card_tells_licences_synthesis_and_what_train_is():
    export(Selection(("savee", "ravdess"), EMOTIONS), Path("out"))
    card = Path("out/README.md").read_text()
    assert "| SAVEE (synthetic) | none: spoken by a synthesizer |" in card
    assert "| RAVDESS | CC BY-NC-SA 4.0 |" in card
    assert "Synthetic speech: SAVEE." in card
    assert "all clips, not a training split" in card
    assert "# SAVEE (synthetic), RAVDESS\n" in card
    export(Selection(("ravdess",), EMOTIONS), Path("real"))
    assert "ynthetic" not in Path("real/README.md").read_text()


def test_rows_are_cut_into_groups_and_parts():
    export(Selection(("ravdess", "savee"), EMOTIONS), Path("out"))
    files = [pq.ParquetFile(path).metadata for path in sorted(Path("out/data").iterdir())]
    assert [[file.row_group(group).num_rows for group in range(file.num_row_groups)] for file in files] == [[7, 7], [7, 3]]


def test_the_same_bytes_again():
    for name in ("a", "b"):
        export(Selection(("savee",), EMOTIONS, VARIANTS, with_labels=True), Path(name))
    for path in Path("a").rglob("*.*"):
        assert path.read_bytes() == (Path("b") / path.relative_to("a")).read_bytes()


@given(st.integers(1, 5000), st.integers(0, 32_768), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_flac_is_lossless(n, peak, seed):
    pcm = np.random.default_rng(seed).integers(-peak, max(1, peak), n).astype(np.int16)
    back, rate = soundfile.read(io.BytesIO(to_flac(pcm)), dtype="int16")
    assert rate == 22_050
    np.testing.assert_array_equal(back, pcm)


def spoil_labels():
    rows = list(shards.read_labels(layout.labels("savee")))
    write_labels(layout.labels("savee"), (LabelRow(row.clip_id, "noise", row.features) for row in rows))


def spoil_split():
    make_split("speaker", {"savee": ROLES})


def spoil_shard():
    write_audio(layout.shards("savee"), list(read_audio(layout.shards("savee")))[:20])


@pytest.mark.parametrize(
    ("chosen", "spoil", "said"),
    [
        (Selection(("savee",), EMOTIONS), lambda: Path("out").mkdir(), "out: already exists"),
        (Selection(("savey",), EMOTIONS), None, "unknown corpus 'savey'; did you mean 'savee'"),
        (Selection(("savee", "savee"), EMOTIONS), None, "each corpus once"),
        (Selection(("savee",), EMOTIONS, ("loud",)), None, "unknown variant 'loud'"),
        (Selection(("savee",), EMOTIONS, protocol="speaker"), None, "--protocol and --fold go together"),
        (Selection(("savee",), EMOTIONS, protocol="spaeker", fold=1), None, "unknown protocol 'spaeker'; did you mean 'speaker'"),
        (Selection(("savee",), EMOTIONS, protocol="speaker", fold=2), None, "no fold 2"),
        (Selection(("savee",), EMOTIONS, protocol="cross_corpus", fold=1), None, "data/splits/cross_corpus.parquet: no such split"),
        (
            Selection(("savee", "ravdess"), EMOTIONS, protocol="speaker", fold=1),
            spoil_split,
            "speaker.parquet fold 1: has no clip of ravdess",
        ),
        (Selection(("tess",), EMOTIONS), None, "data/raw/tess/SOURCE.json: no such file"),
        (Selection(("savee",), EMOTIONS, with_labels=True), spoil_labels, "labels belong to another row"),
        (
            Selection(("savee",), EMOTIONS, VARIANTS, protocol="speaker", fold=1),
            spoil_shard,
            "do not have the rows of train; expected 18; found",
        ),
    ],
)
def test_what_cannot_be_exported_is_one_line_and_leaves_nothing(chosen, spoil, said):
    if spoil:
        spoil()
    before = sorted(Path().iterdir())
    with pytest.raises(FinserError, match=said):
        export(chosen, Path("out"))
    assert sorted(Path().iterdir()) == before


def test_the_command(monkeypatch, capsys):
    Path("params.yaml").write_text(dump(presets.demo()))
    options = ["--format", "hf", "--variants", "original", "--variants", "noise", "--protocol", "speaker", "--fold", "1"]
    monkeypatch.setattr("sys.argv", ["finser", "export", "savee", "ravdess", "out", *options])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0
    assert capsys.readouterr().out == "out: train 24 rows, validation 6 rows, test 6 rows\n"
