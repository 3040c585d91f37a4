"""Presets: the published experiment's corpora, and what `local` finds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from finser import models as classifiers
from finser.config import presets
from finser.config.dump import dump, resolved
from finser.config.sections.fetch import Download
from finser.corpora.known import registry
from finser.errors import FinserError


def test_a_folder_goes_with_local_and_paper_only():
    with pytest.raises(FinserError, match="the preset demo takes no folder"):
        presets.make("demo", {})
    with pytest.raises(FinserError, match="the preset local needs a folder"):
        presets.make("local")


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(FinserError, match="did you mean 'demo'"):
        presets.make("demmo")


def test_paper_is_the_published_experiment():
    made = presets.make("paper")
    assert made.pooled == made.unseen_corpora == ("ravdess", "crema_d", "tess", "savee")
    assert made.train_fin.data.corpora == ("esd",)


def test_ravdess_has_learning_curves_and_compares_pretrained_encoders_with_random_weights():
    made = presets.make("ravdess")
    sections = made.classifiers
    assert [sections[f"small_cnn_{percent}"].speakers for percent in (10, 20, 50)] == [0.1, 0.2, 0.5]
    for tuned, scratch in made.summarise.pairs[5:]:
        assert sections[tuned].model_dump(exclude={"init"}) == sections[scratch].model_dump(exclude={"init"})
        assert sections[tuned].init.startswith("models/pretrained/") and sections[scratch].init is None
    trunks = ("small_cnn", "small_cnn_20", "resnet18", "ast")
    assert [pair[0] for pair in made.summarise.pairs[5:]] == [f"{name}_pretrained" for name in trunks]


def test_open_leaves_every_corpus_out_once():
    made = presets.make("open")
    assert "cross_corpus" in made.protocols and len(made.folds) == len(made.pooled) == 3


def test_arms_that_are_compared_have_as_many_weights_that_learn():
    """Else a difference between them could be one of capacity."""
    sections = {name: section for name, section in presets.full().items() if section.model == "fin_ensemble"}
    learned = {name: classifiers.begin(section, (0,), 8).n_params for name, section in sections.items()}
    assert {section.arm for section in sections.values()} == {"librosa", "frozen", "tuned", "formula", "uninitialised"}
    assert max(learned.values()) < 1.005 * min(learned.values()), learned


@pytest.mark.parametrize("found", [("ravdess",), ("tess", "savee"), ("ravdess", "crema_d", "tess", "savee"), ("esd",), ("esd", "tess")])
def test_fins_learn_from_a_synthesised_corpus_under_a_free_name(found):
    made = presets._with_fin_corpus({corpus: Download(source="download") for corpus in found})
    (fin_corpus,) = made["train_fin"].data.corpora
    assert made["pooled"] == found and fin_corpus not in found and made["corpora"] == (*found, fin_corpus)
    assert made["fetch"][fin_corpus].speakers >= 3, "to train, validate and test on"


def test_fins_learn_from_esd_where_all_five_are_there(capsys):
    made = presets._with_fin_corpus({corpus: Download(source="download") for corpus in registry.CORPORA})
    assert made["train_fin"].data.corpora == ("esd",) and set(made["pooled"]) == set(registry.CORPORA) - {"esd"}
    assert made["fetch"]["esd"].source == "download" and "FINs are trained on esd" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["demo", "tiny", "ravdess", "encoders", "finetune", "open", "paper"])
def test_fins_of_a_preset_hear_no_speaker_that_a_fold_tests(name):
    """Corpora that no classifier is tested on, or the training speakers of the one fold of the one protocol that is run."""
    made = presets.make(name)
    data = made.train_fin.data
    alone = (made.protocols, made.folds) == (("speaker",), (data.fold,))
    assert alone or not set(data.corpora) & set(made.pooled)


OLD = Path(__file__).parent / "old"
RENAMED = {"trunk", "weights"}  # keys of the format of these files that `init` replaces


def at(node: object, *path: str) -> object:
    return at(node[path[0]], *path[1:]) if path else node


def leaves(node: object, *above: str) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in node.items():
        yield from leaves(value, *above, key) if isinstance(value, dict) else [((*above, key), value)]


@pytest.mark.parametrize("name", ["demo", "tiny", "open", "ravdess", "paper"])
def test_values_are_those_of_the_files_that_held_every_key(name):
    """old/NAME.yaml is the preset as it was written when files held every value: all are the same but how initial weights are named.

    There, networks that start from a pretrained encoder are called NAME_taught, and two keys of ``augment`` end in ``_share``.
    """
    made = presets.make(name)
    text = (
        (OLD / f"{name}.yaml")
        .read_text()
        .replace("_taught", "_pretrained")
        .replace("speed_share", "speed_fraction")
        .replace("noise_share", "noise_fraction")
    )
    old, new = yaml.safe_load(text), yaml.safe_load(resolved(made))
    begins = old.pop("initialise")["models"]
    for (top, *path), value in leaves(old):
        where = "fine_tune" if top == "train_classifier" and path[0] in made.fine_tune else top
        if top == "train_classifier" and path[1] in ("init", *RENAMED):
            continue
        assert at(new, where, *path) == value, (where, *path)
    assert list(begins) == list(made.models)
    for model, begin in begins.items():
        assert begin["begin"] == (made.classifiers[model].init or f"src/finser/models/{made.classifiers[model].model}.py")


@pytest.mark.parametrize("name", ["demo", "tiny", "open", "ravdess", "encoders", "finetune", "paper"])
def test_files_are_short_and_lines_fit_a_screen(name):
    lines = dump(presets.make(name)).splitlines()
    assert max(map(len, lines)) <= 140 and len(lines) <= (150 if name in ("demo", "tiny") else 170)
