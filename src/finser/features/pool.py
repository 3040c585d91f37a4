"""Stage `pool`: checksums of all that classifiers, or FINs, may learn from.

The folders data/shards, data/labels and data/features hold all corpora. A training depends on the checksums of its own corpora instead,
so that a corpus that it does not learn from makes nothing stale; and it verifies them when it reads.
"""

from collections.abc import Iterable
from pathlib import Path

from finser import layout
from finser.config.params import Params
from finser.errors import FinserError
from finser.files import checksum, read_json, write_json
from finser.progress import say


def pool(params: Params) -> None:
    """Step: write data/pool/classifiers.json and data/pool/fins.json, which list sha256 by path."""
    of_features = [layout.features(name, corpus) for name in params.features.representations for corpus in params.pooled]
    write_json(layout.pool("classifiers"), checksums([*_sound(params.pooled), *of_features]))
    write_json(layout.pool("fins"), checksums(_sound(params.train_fin.data.corpora)))
    say(f"pool: {', '.join(params.pooled)}; FINs: {', '.join(params.train_fin.data.corpora)}")


def _sound(corpora: Iterable[str]) -> list[Path]:
    return [folder for corpus in corpora for folder in (layout.shards(corpus), layout.labels(corpus))]


def checksums(folders: Iterable[Path]) -> dict[str, str]:
    """The sha256 of every file in some folders, by path, sorted."""
    files = sorted(path for folder in folders for path in folder.glob("part-*.parquet"))
    return {path.as_posix(): checksum(path) for path in files}


def of_folders(listed: dict[str, str], folders: Iterable[Path], where: Path) -> dict[str, str]:
    """The entries of `listed` that lie in some folders.

    Raises
    ------
    FinserError
        Nothing is listed of one of them.
    """
    result = {}
    for folder in folders:
        found = {path: sha for path, sha in listed.items() if Path(path).parent == folder}
        if not found:
            raise FinserError(f"lists nothing in {folder}", where=where, do="run: dvc repro pool")
        result |= found
    return result


def verify(listed: dict[str, str], where: Path) -> None:
    """Refuse files that are not those whose checksums were listed.

    Raises
    ------
    FinserError
        A file is missing or has another sha256.
    """
    for path, expected in listed.items():
        found = checksum(Path(path)) if Path(path).is_file() else "nothing"
        if found != expected:
            raise FinserError(f"not the file that {where} lists", where=path, expected=expected, found=found, do="run: dvc repro")


def read(name: str) -> dict[str, str]:
    """What stage `pool` wrote for ``classifiers`` or ``fins``."""
    return read_json(layout.pool(name))
