"""Scores of a bundle on the project's corpora that none of its members was trained on."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finser import layout
from finser.audio.shards import Only, read_audio
from finser.config.params import Params
from finser.corpora.clips import usable
from finser.corpora.provenance import provenance
from finser.emotions import numbers
from finser.features.labels import features
from finser.features.rows import Row
from finser.predict.bundle import Bundle, OtherCorpus
from finser.predict.engines import ProbabilityEngine, engine_of
from finser.progress import say, track
from finser.scores.intervals import estimates, per_speaker
from finser.summary.figures import written
from finser.workers import in_batches

BATCH = 32  # clips per prediction


def rows_of(corpus: str, clips: Collection[str], definition: str, names: Sequence[str]) -> Iterator[Row]:
    """Yield clips of a corpus with their samples and the named features, in the order of the shards."""
    for row in read_audio(layout.shards(corpus), Only(clips, ["original"])):
        yield Row(row.clip_id, row.variant, row.audio, features(row.audio, definition, names))


def scores_on_others(params: Params, made: Bundle, folder: Path, kind: str = "auto") -> Iterator[OtherCorpus]:
    """Yield the scores on each corpus of ``corpora`` that no member, FIN or encoder was trained on.

    A corpus without clips of the bundle's classes is left out.
    Every clip of these classes is tested, and all classes may be predicted. A corpus without shards yet is named on standard error.

    Parameters
    ----------
    params : Params
        The project's parameters.
    made, folder
        The bundle and its folder, with the members.
    kind : {"auto", "torch", "onnx"}
        See :func:`finser.predict.engines.engine_of`.
    """
    engine = engine_of(folder, made, kind)
    known = {one.name for one in (*made.corpora, *(one for one in made.earlier if one.use != "published weights"))}
    for corpus in params.corpora:
        if corpus in known:
            continue
        if not layout.shards(corpus).is_dir():
            say(f"not tested on {corpus}: there is no {layout.shards(corpus)}; dvc repro augment@{corpus} makes it")
            continue
        clips = usable(corpus)
        clips = clips.filter(pc.is_in(clips["emotion"], pa.array(made.classes)))
        if clips.num_rows:
            yield _scored(params, made, engine, corpus, clips)


def _scored(params: Params, made: Bundle, engine: ProbabilityEngine, corpus: str, clips: pa.Table) -> OtherCorpus:
    rows = rows_of(corpus, clips["clip_id"].to_pylist(), made.definition, engine.features)
    of_clip = {one["clip_id"]: one for one in clips.select(["clip_id", "speaker", "emotion"]).to_pylist()}
    tested, predicted = [], []
    for batch in in_batches(track(rows, f"test on {corpus}", clips.num_rows), BATCH):
        predicted += engine.probabilities(batch).argmax(1).tolist()
        tested += [of_clip[row.clip_id] for row in batch]
    truth = numbers([one["emotion"] for one in tested], made.classes, f"the clips of {corpus}", "run: dvc repro")
    speakers = np.array([f"{corpus}/{one['speaker']}" for one in tested])
    found = estimates(per_speaker(np.array(truth), np.array(predicted), speakers, len(made.classes)), made.confidence)
    said = provenance(params.fetch[corpus], corpus)
    return OtherCorpus(
        name=corpus,
        title=said["title"],
        source=said["source"],
        clips=len(tested),
        speakers=len(set(speakers)),
        classes=tuple(name for number, name in enumerate(made.classes) if number in truth),
        uar=written(found["uar"]),
    )
