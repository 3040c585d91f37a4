"""The page, made from made-up results: its corpora and FINs, its warnings, its figures, and what it refuses."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from matplotlib.image import imread

from finser import layout
from finser.config.dump import resolved
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.report.page import report
from finser.report.read import collect


def number(text: str) -> float:
    return float(text.replace(",", "").strip("*"))


def test_r2_with_five_digits_and_the_published_values(synthetic):
    rows = {(row["FIN"], row["R2"]): row for row in synthetic.table("R2 of the FINs")}
    units = {"RMS": ("rms", ""), "ZCR": ("zcr", ""), "chroma": ("chroma", ""), "MFCC": ("mfcc", ""), "mel, power": ("mel", "")}
    for name, (feature, unit) in {**units, "mel, dB": ("mel", "db_")}.items():
        figures = json.loads((synthetic.folder / layout.fin_result(feature)).read_text())
        for kind in ("uniform", "weighted"):
            found = {"test speakers": figures[f"r2_test_{unit}{kind}"], "ESD": figures["unseen"]["esd"][unit + kind]}
            for column, value in found.items():
                assert value - 1e-5 < number(rows[name, kind][column]) <= value + 1e-12, "rounded down"
    assert (rows["MFCC", "uniform"]["published, test"], rows["MFCC", "uniform"]["published, ESD"]) == (".92", ".54")
    assert (rows["mel, power", "weighted"]["published, test"], rows["MFCC", "weighted"]["published, test"]) == (".97", "–")
    brief = {row["FIN"]: row for row in synthetic.table("FINs in brief")}
    assert brief["mel"]["R2, ESD, unseen"] == rows["mel, power", "weighted"]["ESD"]  # the others as published: uniform
    assert brief["MFCC"]["R2, ESD, unseen"] == rows["MFCC", "uniform"]["ESD"]
    assert brief["RMS"]["published network, trained here"] == brief["RMS"]["R2, test speakers"], "the made-up nets are as good"
    assert brief["MFCC"]["published network, trained here"] == "–", "not trained"
    zcr = synthetic.table("Topologies of the FINs")[1]
    assert (zcr["R2 at initialisation"], zcr["training, s"], zcr["front end initialised"]) == ("-8.40000", "8.4", "–")


def test_corpora_are_counted(synthetic):
    rows = {row["corpus"]: row for row in synthetic.table("Audio files per corpus")}
    clips = pq.read_table(synthetic.folder / layout.clips("ravdess")).to_pylist()
    kept = [clip for clip in clips if clip["status"] == "ok"]
    row = rows["RAVDESS (synthetic)"]
    assert [number(row[name]) for name in ("found", "kept", "excluded", "speakers")] == [len(clips), len(kept), 1, 6]
    assert number(row["minutes"]) == pytest.approx(sum(clip["seconds"] for clip in kept) / 60, abs=0.051)
    assert rows["ESD (synthetic)"]["language"] == "en, zh"
    per_emotion = {row["corpus"]: row for row in synthetic.table("Kept clips per emotion")}
    assert number(per_emotion["RAVDESS"]["neutral"]) == sum(clip["emotion"] == "neutral" for clip in kept)
    assert per_emotion["TESS"]["calm"] == "–"


def test_exclusions_one_by_one_with_reasons_that_stay_in_their_cell(synthetic):
    rows = synthetic.table("Files excluded")
    assert len(rows) == 5
    assert rows[0]["reason"] == r"silent: peak 0 \| nothing above 0.0"


def test_many_exclusions_are_cut_and_counted(here):
    path = layout.clips("tess")
    table = pq.read_table(path)
    bad = ["excluded"] * 30 + table["status"].to_pylist()[30:]
    pq.write_table(table.set_column(table.schema.get_field_index("status"), "status", [bad]), path)
    report(here.params)
    rows = [row for row in here.again().table("Files excluded") if row["corpus"] == "TESS"]
    assert len(rows) == 21
    assert rows[-1]["file"] == "and 10 more"


def test_parts_are_counted_over_the_classifiers_corpora(synthetic):
    split = pq.read_table(synthetic.folder / layout.split("random")).to_pylist()
    test = [row for row in split if (row["fold"], row["role"]) == (2, "test") and row["corpus"] != "esd"]
    row = synthetic.table("Protocol random (LEAKY): clips and speakers per part")[1]
    assert [number(row["test clips"]), number(row["test speakers"])] == [len(test), len({r["speaker"] for r in test})]


def test_synthetic_speech_is_named_in_every_caption(synthetic):
    assert "**These corpora are synthetic speech: no result here says anything about real speech.**" in synthetic.text
    assert not [line for line in synthetic.text.splitlines() if re.match(r"^\*[^*].*\*$", line) and "synthetic speech" not in line]
    captions = [caption for caption, _ in synthetic.tables if "Versions: " not in caption and "Settings that" not in caption]
    assert len(captions) > 12
    assert all("synthetic" in caption for caption in captions)
    assert len(re.findall(r"^Confusion matrices \(synthetic", synthetic.text, re.MULTILINE)) == 2


def test_real_speech_carries_no_such_notice(real):
    assert "synthe" not in real.text.split("## Parameters")[0]


def test_random_is_named_leaky_in_every_table_of_it(synthetic):
    other = ("split at random", "Topologies of the FINs", "What is learned")  # the published split by file; random initialisation
    about = [caption for caption, rows in synthetic.tables if "random" in f"{caption}{rows}" and not any(o in caption for o in other)]
    of_random = 11  # per fold, pairs, classes, corpora, hints, sexes, speakers, calibration, noise, learning, cost
    assert len(about) == of_random + 4  # in brief, parts, the leak, published
    assert all("LEAKY" in caption for caption in about)
    pictures = re.findall(r"^\*Protocol random.*\*$", synthetic.text, re.MULTILINE)
    assert len(pictures) == 4
    assert all(caption.startswith("*Protocol random (LEAKY) (synthetic speech): ") for caption in pictures)


def test_one_unseen_corpus_is_singular(real):
    assert "TESS was not used to train FINs." in real.text


def test_one_corpus_out_says_what_was_tested_on_which_emotions(cross, real):
    rows = cross.table("Protocol one corpus out: which corpus each fold tests on")
    clips = [clip for corpus in ("ravdess", "tess") for clip in pq.read_table(cross.folder / layout.clips(corpus)).to_pylist()]
    calm = sum(clip["emotion"] == "calm" and clip["status"] == "ok" for clip in clips)
    assert [row["tested"] for row in rows] == ["RAVDESS", "TESS"]
    for row in rows:
        assert row["emotions"].split(", ") == [emotion for emotion in EMOTIONS if emotion != "calm"]
        assert (row["number"], row["chance UAR"], number(row["clips of other emotions, left out"])) == ("7", ".143", calm)
    assert "on folds 1, 2 of 5 (2 under one corpus out), under the protocols speaker, random (LEAKY) and one corpus out." in cross.text
    assert "fold k tests on the k-th of RAVDESS, TESS and trains" in cross.text
    assert "one corpus out" not in real.text.split("## Parameters")[0]


def test_figures_of_one_corpus_out(cross):
    row = cross.table("Protocol one corpus out: UAR per corpus")[1]
    for fold, title in ((1, "RAVDESS"), (2, "TESS")):
        assert number(row[title].partition(" (")[0]) == pytest.approx(cross.metrics("mlp", "cross_corpus", fold)["uar"], abs=5.1e-4)
    recall = next(
        row for row in cross.table("Protocol one corpus out: precision, recall") if (row["model"], row["score"]) == ("MLP", "recall")
    )
    assert recall["calm"] == "–" and number(recall["happy"]) > 0
    brief = cross.table("Emotion in brief")[1]
    uars = [cross.metrics("mlp", "cross_corpus", fold)["uar"] for fold in (1, 2)]
    assert number(brief["UAR, one corpus out"].split()[0]) == pytest.approx(np.mean(uars), abs=5.1e-4)
    assert {row["stage"]: row["commands"] for row in cross.table("Time per stage")}["`split`"] == "3"


def test_speakers_that_the_fins_heard_are_named(synthetic, real):
    assert "- FIN ensemble: fold 2: 3 of 4 test speakers." in synthetic.text
    assert "the FINs were trained on frames of speakers" not in real.text


def test_times_are_of_the_last_good_command_and_dashes_of_the_cache(synthetic):
    stages = {row["stage"].strip("`"): row for row in synthetic.table("Time per stage")}
    assert number(stages["resample"]["minutes in all"]) == 2.5
    assert number(stages["train_fin"]["minutes in all"]) == pytest.approx(8.4 / 60, abs=0.0051)
    assert stages["train_classifier"]["timed here"] == "1"  # not the fold of another preset
    assert stages["fetch"]["minutes in all"] == "–"
    assert "the time of its training, 174.0 s," in synthetic.text


def test_all_parameters_are_on_the_page(real):
    assert f"```yaml\n{resolved(real.params).strip()}\n```" in real.text


def test_every_figure_is_linked_and_has_content(synthetic):
    linked = set(re.findall(r"\(figures/(\w+\.png)\)", synthetic.text))
    written = {path.name for path in (synthetic.folder / "results/figures").iterdir()}
    assert linked == written
    models, protocols, networks = 5, 2, 4
    of_protocol = ["reliability", "speakers", "noise", "learning"]
    assert len(written) == 3 + protocols * (models + len(of_protocol)) + networks
    for name in written:
        path = synthetic.folder / "results/figures" / name
        assert path.read_bytes().startswith(b"\x89PNG")
        assert imread(path)[..., :3].std() > 0.05
        assert b"Matplotlib" not in path.read_bytes()


def test_html_needs_nothing_else(synthetic):
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', synthetic.html)
    assert len(sources) == synthetic.text.count("](figures/")
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "@import" not in synthetic.html
    assert "url(" not in synthetic.html
    assert synthetic.html.count("<table>") == len(synthetic.tables) + 2  # and the two grids of confusion matrices


def test_what_is_learned_beside_what_was_put_in(synthetic):
    rows = [row for row in synthetic.table("What is learned") if row["FIN"] == "ZCR"]
    assert [row["initial weights"] for row in rows] == ["as used: random", "librosa's formula", "published network, random"]
    assert [number(row["at initialisation"]) for row in rows] == [-8.4, -8.4, -8.4]
    assert [row["published"] for row in rows] == [".93", "", ".93"]
    assert not any("published network" in row["initial weights"] for row in synthetic.table("What is learned") if row["FIN"] == "chroma")


def test_conditions_and_the_worst_frame(synthetic):
    given = synthetic.table("under other conditions")
    assert [row["FIN"] for row in given if "mel" in row["FIN"]] == ["mel, power", "mel, dB", "mel, dB"]
    assert all(float(row["gain +20 dB"]) < 1 for row in given)
    worst = synthetic.table("largest error")
    assert {(row["clip"], row["frame"], row["coefficient"]) for row in worst} == {("`ravdess/9`", "9", "1"), ("`ravdess/8`", "8", "1")}


def test_twice_the_same_bytes(here):
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in [*Path("results").glob("report.*"), *Path("results/figures").iterdir()]}

    before = content()
    report(here.params)
    assert content() == before
    assert len(before) == 2 + 3 + 2 + 2 + 1


def test_strays_of_an_earlier_preset_are_ignored(here):
    before = Path("results/report.md").read_bytes()
    strays = [layout.classifier_result("mlp", "random", 4) / "metrics.json", layout.fin_result("tempo"), layout.clips("esd")]
    strays.append(Path("results/figures/old.png"))
    for stray in strays:
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_text("not what it says")
    report(here.params)
    assert Path("results/report.md").read_bytes() == before
    assert not Path("results/figures/old.png").exists()


def test_without_a_log_there_are_dashes(here):
    layout.COMMANDS_LOG.unlink()
    report(here.params)
    assert {row["minutes in all"] for row in here.again().table("Time per stage")} == {"–"}


MISSING = [
    layout.fin_result("mel"),
    layout.fin_history("rms"),
    layout.clips("tess"),
    layout.split("speaker"),
    *(layout.classifier_result("mlp", "speaker", 2) / name for name in ("metrics.json", "predictions.parquet", "history.csv")),
    layout.training_time("train_classifier", "mlp", "speaker", 2, 0),
    layout.evaluation_time("mlp", "speaker", 2),
]


@pytest.mark.parametrize("path", MISSING, ids=str)
def test_a_missing_result_is_one_line_that_names_it(here, path):
    path.unlink()
    before = Path("results/report.md").read_bytes()
    with pytest.raises(FinserError) as error:
        report(here.params)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert Path("results/report.md").read_bytes() == before


def test_damaged_inputs_are_one_line(here):
    layout.COMMANDS_LOG.write_text('{"stage": "fetch", "preset": "demo", "item": ["tess"], "status": "ok", "seconds": 1}\n{half a li')
    with pytest.raises(FinserError, match="line 2 is no record"):
        collect(here.params)
    layout.clips("tess").write_bytes(b"PAR1 and nothing")
    with pytest.raises(FinserError, match="not readable"):
        collect(here.params)


def test_a_key_that_is_not_there_is_named(here):
    path = layout.fin_result("zcr")
    figures = json.loads(path.read_text())
    del figures["r2_test_weighted"]
    path.write_text(json.dumps(figures))
    with pytest.raises(FinserError, match="r2_test_weighted"):
        collect(here.params)
