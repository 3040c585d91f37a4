"""`finser predict`: predictions for files, written in one of several formats."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finser.errors import FinserError, lines
from finser.files import whole_file
from finser.predict import output
from finser.predict.merging import merged
from finser.predict.predictor import LocalPredictor, Prediction
from finser.predict.sound import Windows
from finser.predict.sources import SOUND
from finser.progress import track


@dataclass
class Session:
    """One call of `finser predict`.

    Attributes
    ----------
    predictor : LocalPredictor
        The bundle that is used.
    windows : Windows, optional
        How recordings are cut; None: each is one clip.
    segments : bool
        Whether windows of one emotion are merged.
    strict : bool
        Whether the first file that cannot be read ends the run.
    with_bar : bool
        Whether a progress bar is shown; rows on a terminal would overwrite it.
    failed : list of str
        Files that could not be read.
    """

    predictor: LocalPredictor
    windows: Windows | None = None
    segments: bool = False
    strict: bool = False
    with_bar: bool = True
    failed: list[str] = field(default_factory=list)

    def predictions(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Yield the predictions for files; one that cannot be read is one line on standard error, and the others follow."""
        shown = track(paths, "predicting", len(paths)) if len(paths) > 1 and self.with_bar else paths
        if self.windows is None:
            yield from self.predictor.predict_all(shown, self._fault)
            return
        for path in shown:
            found = self._windows(path)
            yield from merged(found) if self.segments else found

    def _windows(self, path: Path) -> Iterator[Prediction]:
        try:
            yield from self.predictor.predict_windows(path, length=self.windows.length, hop=self.windows.hop)
        except FinserError as error:
            self._fault(str(path), error)

    def _fault(self, path: str, error: FinserError) -> None:
        if self.strict:
            raise error
        self.failed.append(path)
        print(lines(error), file=sys.stderr)


def load(name: str | None, threshold: float | None = None, engine: str = "auto") -> LocalPredictor:
    """Return the predictor of a bundle: a folder, an id of a hub, or, for None, the one that ships with finser.

    That one is an example, which a note on standard error states.
    """
    if name is None or Path(name).is_dir():
        return LocalPredictor(name, threshold, engine)
    from finser.predict.hub import Predictor  # imports huggingface_hub, which takes half a second

    return Predictor.from_pretrained(name, threshold=threshold, engine=engine)


def form_of(target: Path | None) -> str:
    """Return the format that the suffix of a file names: csv, jsonl, rttm or parquet, or else a table for people."""
    suffix = "" if target is None else target.suffix.lower().removeprefix(".")
    return suffix if suffix in (*output.TEXT, "parquet") else "table"


def check_output(target: Path | None, sources: Sequence[Path]) -> None:
    """Raise an error if predictions would replace a recording or a source, or if there is no folder to write to."""
    if target is None:
        return
    if target.suffix.lower() in SOUND or target.resolve() in {path.resolve() for path in sources}:
        raise FinserError("is a recording or a source, which the predictions would replace", where=target, do="name another file: --output")
    if not target.parent.is_dir():
        raise FinserError("no such folder", where=target.parent, do="make it, or name another file: --output")


def write(session: Session, paths: Sequence[Path], form: str, target: Path | None) -> None:
    """Write the predictions for files to standard output, or whole to a file.

    Raises
    ------
    FinserError
        Parquet needs a file; or, with `strict`, a file cannot be read.
    """
    classes = session.predictor.bundle.classes
    if form == "parquet":
        if target is None:
            raise FinserError("Parquet is no text", do="name a file: --output FILE")
        with whole_file(target) as partial:
            output.parquet(session.predictions(paths), partial, classes)
    elif target is None:
        session.with_bar = not sys.stdout.isatty()
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no UTF-8
        output.TEXT[form](session.predictions(paths), sys.stdout, classes)
    else:
        with whole_file(target) as partial, partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            output.TEXT[form](session.predictions(paths), file, classes)
