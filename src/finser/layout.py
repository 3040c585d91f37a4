"""Where every stage reads and writes, relative to the project's root: the same paths as in dvc.yaml (a test compares them)."""

from pathlib import Path

DATA = Path("data")
MODELS = Path("models")
RESULTS = Path("results")
COMMANDS_LOG = Path("logs/commands.jsonl")  # one line per stage command that ran; not tracked


def raw(corpus: str) -> Path:
    """The corpus in its publisher's layout."""
    return DATA / "raw" / corpus


def downloads(corpus: str) -> Path:
    """Downloaded files of a corpus; kept, so that nothing is downloaded twice, and not tracked."""
    return DATA / "downloads" / corpus


def found(stage: str, corpus: str) -> Path:
    """Number, size and digest of the files outside the project that a stage read last; not tracked."""
    return DATA / "found" / stage / f"{corpus}.json"


def clips(corpus: str) -> Path:
    """The index: one row per audio file found."""
    return DATA / "clips" / f"{corpus}.parquet"


def audio(corpus: str) -> Path:
    """Resampled clips, as shards."""
    return DATA / "audio" / corpus


def shards(corpus: str) -> Path:
    """Clips with their augmented variants, as shards."""
    return DATA / "shards" / corpus


def labels(corpus: str) -> Path:
    """librosa's features for every frame, row-aligned with :func:`shards`."""
    return DATA / "labels" / corpus


def features(representation: str, corpus: str) -> Path:
    """A representation of the clips of a corpus, computed once: statistics, filter banks, or the outputs of the FINs (``fins``)."""
    return DATA / ("fin_outputs" if representation == "fins" else f"features/{representation}") / corpus


def pool(name: str) -> Path:
    """Checksums of the shards, labels and features that ``classifiers``, ``fins`` or an encoder (``pretrain/TRUNK``) learn from."""
    return DATA / "pool" / f"{name}.json"


def noisy(protocol: str, fold: int) -> Path:
    """Test clips in noise: shards/ and labels/ as those of a corpus."""
    return DATA / "noisy" / protocol / str(fold)


def split(protocol: str) -> Path:
    """Who is in train, validation and test, per fold."""
    return DATA / "splits" / f"{protocol}.parquet"


def fin(feature: str) -> Path:
    """A trained FIN (or the ``front_end`` that some share): model.safetensors, config.json, history.csv."""
    return MODELS / "fins" / feature


def checkpoint(stage: str, *item: str) -> Path:
    """Return the checkpoint from which a killed training resumes; it is not tracked, and the training removes it at its end."""
    return MODELS / "checkpoints" / stage / f"{'-'.join(item)}.safetensors"


def fin_result(feature: str) -> Path:
    """Figures of merit of a FIN."""
    return RESULTS / "fins" / f"{feature}.json"


def fin_comparison(feature: str, way: str, seed: int) -> Path:
    """Figures of merit of a FIN that began in some way, and that nothing is built on."""
    return RESULTS / "fins" / "compared" / feature / way / f"{seed}.json"


def fin_frames(feature: str) -> Path:
    """Values and the worst frames of a FIN on test speakers, for pictures."""
    return RESULTS / "fins" / f"{feature}.parquet"


def fin_history(feature: str) -> Path:
    """Training curve of a FIN."""
    return RESULTS / "fins" / f"{feature}.csv"


def weights(name: str) -> Path:
    """Published weights in one format: model.safetensors, config.json."""
    return MODELS / "weights" / name


def pretrained(trunk: str, protocol: str, fold: int) -> Path:
    """A trunk that imitates librosa's features."""
    return MODELS / "pretrained" / trunk / protocol / str(fold)


def initial(model: str) -> Path:
    """The options of a classifier, and its initial weights if they are not random."""
    return MODELS / "initial" / model


def classifiers(model: str, protocol: str, fold: int) -> Path:
    """Folder of the trained classifiers of all seeds."""
    return MODELS / "classifiers" / model / protocol / str(fold)


def classifier(model: str, protocol: str, fold: int, seed: int) -> Path:
    """A trained classifier."""
    return classifiers(model, protocol, fold) / str(seed)


def classifier_result(model: str, protocol: str, fold: int) -> Path:
    """Folder of metrics.json, predictions.parquet, validation.parquet and history.csv."""
    return RESULTS / "classifiers" / model / protocol / str(fold)


def fusion_result(fusion: str, protocol: str, fold: int) -> Path:
    """Folder of metrics.json, predictions.parquet and validation.parquet of a late fusion."""
    return RESULTS / "fusions" / fusion / protocol / str(fold)


def summary() -> Path:
    """Figures of every model, all folds together."""
    return RESULTS / "summary/figures.json"


def costs() -> Path:
    """Parameters, epochs and seconds of every model."""
    return RESULTS / "summary/costs.json"


def comparisons() -> Path:
    """Differences of pairs of models, all folds together."""
    return RESULTS / "summary/comparisons.json"


def training_time(stage: str, *item: str | int) -> Path:
    """Seconds that a training took, and its validation UAR: apart from its model, whose bytes must not depend on the clock."""
    return (RESULTS / "timing" / stage / "/".join(map(str, item or ("all",)))).with_suffix(".json")


def evaluation_time(model: str, protocol: str, fold: int) -> Path:
    """Milliseconds that a classifier takes per clip."""
    return RESULTS / "timing" / "evaluate_classifier" / model / protocol / f"{fold}.json"


def report() -> Path:
    """The report in Markdown; report.html and figures/ stand beside it."""
    return RESULTS / "report.md"
