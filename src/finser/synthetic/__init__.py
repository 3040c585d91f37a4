"""Five small corpora of synthetic speech, with the layout, file names and oddities of the real ones.

They exist so that the workflow runs without recordings, offline, in minutes. They do not replace recordings: an "angry" voice follows a
table in :mod:`finser.synthetic.acting`, and a score on it says nothing about people.

`make` writes a corpus, `plan` lists its files. The samples of a clip depend on the seed and on its corpus, speaker, emotion, text and take.
They do not depend on other clips, their order or the number of worker processes.
"""

from dataclasses import dataclass
from pathlib import Path

from finser import files, progress, workers
from finser.config.params import Params
from finser.synthetic.engine import needs_child, open_engine
from finser.synthetic.oddities import oddities, plant, write_wav
from finser.synthetic.plans import ClipPlan, esd_transcripts, plan
from finser.synthetic.rendering import CHANNELS, render

__all__ = ["make", "oddities", "plan"]

_BATCH = 24  # clips per engine; an engine starts in a hundredth of a second
NOTICE = """\
SYNTHETIC SPEECH: nobody recorded this.

The files in this folder have the layout and the file names of a corpus of recordings, and none of its recordings.
They were made by finser: the program eSpeak NG 1.52 (as packaged in espeakng-loader) spoke, and finser changed pitch, rate,
loudness, timbre and noise after a table of its own.
Speaker and emotion stand for rows of such tables, not for people. A score on these files is no claim about real speech, and
must be called synthetic wherever it is shown. Some files are odd on purpose, as in the real corpus.
"""


@dataclass(frozen=True)
class _Batch:
    clips: tuple[ClipPlan, ...]
    folder: Path
    seed: int
    in_child: bool


def make(params: Params, corpus: str, folder: Path) -> None:
    """Write a synthetic corpus.

    Parameters
    ----------
    params : Params
        ``params.fetch[corpus]`` must be :class:`finser.config.sections.fetch.Synthetic`; ``params.seed`` is the seed of every draw.
    corpus : str
        Corpus id.
    folder : Path
        An existing, empty folder.

    Raises
    ------
    FinserError
        espeakng-loader is missing or does not work here, or temporary paths are too long for it.
    """
    clips = plan(params.fetch[corpus], corpus)
    in_child = needs_child()
    for parent in sorted({(folder / clip.path).parent for clip in clips}):
        parent.mkdir(parents=True, exist_ok=True)
    batches = [_Batch(tuple(clips[start : start + _BATCH]), folder, params.seed, in_child) for start in range(0, len(clips), _BATCH)]
    for _ in progress.track(workers.map_in_order(_write, batches), f"speak {corpus}, {_BATCH} clips at a time", total=len(batches)):
        pass
    if corpus == "esd":
        for name, text in esd_transcripts(clips).items():
            files.write_text(folder / name, text)
    plant(folder, oddities(corpus, clips))
    files.write_text(folder / "SYNTHETIC.txt", NOTICE)


def _write(batch: _Batch) -> None:
    with open_engine(in_child=batch.in_child) as speaker:
        for clip in batch.clips:
            write_wav(batch.folder / clip.path, render(clip, batch.seed, speaker), CHANNELS[clip.corpus].rate)
