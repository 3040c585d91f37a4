"""What the pictures of the classifiers show, against scikit-learn and plain loops over the files of predictions."""

import dataclasses

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from sklearn.calibration import calibration_curve
from sklearn.metrics import recall_score

from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.report import classifier_figures as emotion_figures
from finser.report.styles import COLOURS, MARKERS, STYLE, panels
from finser.report.tables import model_title

PROTOCOLS = pytest.mark.parametrize("protocol", ["speaker", "random"])


def probabilities(page, model: str, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """Of all rows of the files, shape (rows, 8), and whether the largest is the truth."""
    rows = page.predictions(model, protocol)
    values = np.array([[row[f"p_{name}"] for name in EMOTIONS] for row in rows])
    return values, np.array([row["emotion"] for row in rows]) == np.array(EMOTIONS)[values.argmax(1)]


def titles(page) -> list[str]:
    return [model_title(page.results, model) for model in page.results.models]


@PROTOCOLS
def test_reliability_is_scikit_learns_calibration_curve(synthetic, protocol):
    axes = emotion_figures.reliabilities(synthetic.results, protocol).axes
    assert [panel.get_title() for panel in axes] == titles(synthetic)
    for panel, model in zip(axes, synthetic.results.models, strict=True):
        values, right = probabilities(synthetic, model, protocol)
        temperatures = dict(enumerate(synthetic.metrics(model, protocol, 1)["temperature_seeds"]))
        powered = values ** (1 / np.array([temperatures[row["seed"]] for row in synthetic.predictions(model, protocol)])[:, None])
        for line, given in zip(panel.lines[1:], (values, powered / powered.sum(1, keepdims=True)), strict=True):
            share, confidence = calibration_curve(right, given.max(1), n_bins=10, strategy="uniform")
            np.testing.assert_allclose(line.get_xdata(), confidence, atol=1e-9)
            np.testing.assert_allclose(line.get_ydata(), share, atol=1e-9)


@PROTOCOLS
def test_every_test_speaker_is_one_dot_the_worst_first(synthetic, protocol):
    axes = emotion_figures.speakers(synthetic.results, protocol).axes
    for panel, model in zip(axes, synthetic.results.models, strict=True):
        names = {row["speaker"] for row in synthetic.predictions(model, protocol)}
        expected = []
        for name in names:
            pairs = synthetic.by_seed(model, protocol, lambda row, name=name: row["speaker"] == name)
            expected.append(np.mean([recall_score(t, p, labels=sorted(set(t)), average="macro") for t, p in pairs]))
        (dots,) = panel.collections
        np.testing.assert_allclose(dots.get_offsets(), np.column_stack([np.arange(1, len(names) + 1), sorted(expected)]), atol=1e-9)
        assert panel.lines[0].get_ydata()[0] == pytest.approx(np.mean(expected))


def test_noise_ends_at_clean_speech(synthetic):
    axes = emotion_figures.noise(synthetic.results, "speaker").axes
    assert [panel.get_title() for panel in axes] == titles(synthetic)
    assert [tick.get_text() for tick in axes[-1].get_xticklabels()] == ["0", "20", "clean"]
    for panel, model in zip(axes, synthetic.results.models, strict=True):
        noise = [synthetic.metrics(model, "speaker", fold)["noise"] for fold in (1, 2)]
        for line, kind, style in zip(panel.lines, ("white", "babble"), ("-", "--"), strict=True):
            expected = [np.mean([one[kind]["0"] for one in noise]), np.mean([one[kind]["20"] for one in noise])]
            np.testing.assert_allclose(line.get_ydata(), [*expected, np.mean([one["clean"]["inf"] for one in noise])])
            assert line.get_linestyle() == style


@PROTOCOLS
def test_learning_curve_over_training_speakers(synthetic, protocol):
    (panel,) = emotion_figures.learning(synthetic.results, protocol).axes
    line = panel.lines[0]
    for place, model in enumerate(("mlp_half", "mlp")):
        counted = [synthetic.metrics(model, protocol, fold)["n_train_speakers"] for fold in (1, 2)]
        assert line.get_xdata()[place] == pytest.approx(np.mean(counted))
        uar = synthetic.results.figures[protocol][model]["uar"]
        assert line.get_ydata()[place] == (uar["value"] if uar["low"] is None else uar["centre"]), "the middle of its interval"


def test_confusion_is_the_mean_over_the_seeds(synthetic):
    (panel,) = emotion_figures.confusion(np.array(synthetic.results.figures["speaker"]["mlp"]["confusion"]), "MLP", EMOTIONS).axes
    pairs = synthetic.by_seed("mlp", "speaker")
    expected = np.mean([[[sum((a, b) == pair for pair in zip(*one, strict=True)) for b in EMOTIONS] for a in EMOTIONS] for one in pairs], 0)
    shown = np.asarray(panel.images[0].get_array())
    np.testing.assert_allclose(shown, expected / expected.sum(1, keepdims=True))
    assert [text.get_text() for text in panel.texts] == [f"{number:.0f}" for number in expected.ravel()]


def test_a_training_curve_per_fold_and_seed(synthetic):
    runs = [run for run in synthetic.results.runs if run.model == "mlp"]
    figure = emotion_figures.classifier_curves(runs)
    assert [len(panel.lines) for panel in figure.axes] == [8, 8]  # 2 protocols, 2 folds, 2 seeds
    assert all(len(line.get_xdata()) == 24 for panel in figure.axes for line in panel.lines)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["speaker", "random (LEAKY)"]


def test_a_history_without_seeds_is_refused(synthetic):
    run = synthetic.results.run("mlp", "speaker", 1)
    columns = {name: values for name, values in run.history.columns.items() if name != "seed"}
    history = dataclasses.replace(run.history, columns=columns)
    with pytest.raises(FinserError, match="no column 'seed'"):
        emotion_figures.classifier_curves([dataclasses.replace(run, history=history)])


def test_layers_of_encoders_are_those_of_metrics(encoders):
    axes = emotion_figures.layers(encoders.results, "speaker").axes
    assert [panel.get_title().partition("\n")[0] for panel in axes] == ["encoder, fine-tuned", "encoder, dense", "encoder, probe"]
    for panel, model in zip(axes[:2], ("encoder_tuned", "encoder"), strict=True):
        found = np.array([one["layer_weights"] for fold in (1, 2) for one in encoders.metrics(model, "speaker", fold)["found"]])
        np.testing.assert_allclose([bar.get_height() for bar in panel.patches], found.mean(0))
        (spread,) = panel.collections
        ends = np.array(spread.get_segments())[:, :, 1]  # (layers, 2)
        np.testing.assert_allclose(ends, np.column_stack([found.min(0), found.max(0)]))
        assert panel.get_ylabel() == "weight"
    found = [encoders.metrics("encoder_probe", "speaker", fold)["found"][0] for fold in (1, 2)]
    best = np.array([[max(t["validation_uar"] for t in one["tried"] if t["layer"] == layer) for layer in range(25)] for one in found])
    line = axes[2].lines[0]
    np.testing.assert_allclose(line.get_ydata(), best.mean(0))
    chosen = {one["layer"] for one in found}
    filled = [layer for layer, colour in enumerate(axes[2].collections[-1].get_facecolors()) if not np.allclose(colour, 1)]
    assert filled == sorted(chosen) and axes[2].get_ylim()[0] == 0


def test_the_title_names_the_layer_that_each_fold_chose():
    title = emotion_figures._chosen({"1": 12, "2": 3, "4": 12, "5": 7}).replace("\u00a0", " ")
    assert title == "chosen: 3 (fold 2), 7 (fold 5),\n12 (folds 1, 4)"


def shown_ticks(panel) -> list:
    """Labels of the ticks within the limits of both axes; matplotlib keeps others, and draws none of them."""
    axes = ((panel.xaxis, panel.get_xlim()), (panel.yaxis, panel.get_ylim()))
    return [tick.label1 for axis, (low, high) in axes for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def test_no_label_of_the_layers_overlaps_another(encoders):
    """Titles have several lines if the folds chose many layers."""
    ten = {"chosen": {str(fold): 2 * fold for fold in range(1, 11)}}
    given = {name: dict(one) for name, one in encoders.results.figures["speaker"].items()}
    given["encoder_probe"]["layers"] = {**given["encoder_probe"]["layers"], **ten}
    given |= {name: {**given[name], "layers": given["encoder_probe"]["layers"]} for name in ("small_cnn", "pretrained")}
    with rc_context(STYLE):
        figure = emotion_figures.layers(dataclasses.replace(encoders.results, figures={"speaker": given}), "speaker")
        FigureCanvasAgg(figure).draw()
    texts = [text for panel in figure.axes for text in (panel.title, panel.xaxis.label, panel.yaxis.label, *shown_ticks(panel))]
    boxes = [text.get_window_extent() for text in texts if text.get_visible() and text.get_text()]
    assert len(figure.axes) == 6 and sum(panel.get_visible() for panel in figure.axes) == 5 and len(boxes) > 30
    overlapping = [(a, b) for k, a in enumerate(boxes) for b in boxes[k + 1 :] if a.overlaps(b)]
    assert overlapping == []
    assert all(figure.bbox.contains(*box.min) and figure.bbox.contains(*box.max) for box in boxes)


def test_the_page_shows_layers_only_of_models_on_an_encoder(encoders, synthetic):
    (caption,) = (line for line in encoders.text.splitlines() if line.startswith("*Protocol speaker: layers of the encoders"))
    assert "Bars: the weight of each layer" in caption and "Curves: validation UAR of a probe" in caption
    assert encoders.text.count("](figures/layers_speaker.png)") == 1 and (encoders.folder / "results/figures/layers_speaker.png").exists()
    assert "figures/layers_" not in synthetic.text and not list((synthetic.folder / "results/figures").glob("layers_*"))


@pytest.mark.parametrize("count", [1, 4, 5, 7, 10])
def test_panels_in_rows(count):
    figure, axes = panels(count, 5, 2.0, 2.0)
    assert len(axes) == count
    assert sum(panel.get_visible() for panel in figure.axes) == count


def test_ninety_models_look_different():
    looks = {(COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]) for k in range(90)}
    assert len(looks) == 90
