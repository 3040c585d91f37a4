"""Stage `pool`: checksums of all files that classifiers or FINs may be trained on.

The folders data/shards, data/labels and data/features hold all corpora. A training depends on the checksums of its own corpora instead, so
that a change of another corpus does not make it stale. It verifies the checksums when it reads the files.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from finser import layout
from finser.config.params import Params
from finser.errors import FinserError
from finser.files import checksum, read_json, write_json
from finser.progress import say


def pool(params: Params) -> None:
    """Step: write data/pool/classifiers.json and data/pool/fins.json, which map paths to SHA-256."""
    names = (*params.features.representations, *params.features.encoders)
    of_features = [layout.features(name, corpus) for name in names for corpus in params.pooled]
    write_json(layout.pool("classifiers"), checksums([*_sound(params.pooled), *of_features]))
    write_json(layout.pool("fins"), checksums(_sound(params.train_fin.data.corpora)))
    say(f"pool: {', '.join(params.pooled)}; FINs: {', '.join(params.train_fin.data.corpora)}")


def _sound(corpora: Iterable[str]) -> list[Path]:
    return [folder for corpus in corpora for folder in (layout.shards(corpus), layout.labels(corpus))]


def checksums(folders: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of every shard, or file of a stored representation, in some folders, by path, sorted."""
    files = sorted(path for folder in folders for suffix in ("parquet", "arrow") for path in folder.glob(f"part-*.{suffix}"))
    return {path.as_posix(): checksum(path) for path in files}


def of_folders(listed: dict[str, str], folders: Iterable[Path], where: Path) -> dict[str, str]:
    """Return the entries of `listed` that lie in some folders.

    Raises
    ------
    FinserError
        `listed` has no entry of one of the folders.
    """
    result = {}
    for folder in folders:
        found = {path: sha for path, sha in listed.items() if Path(path).parent == folder}
        if not found:
            raise FinserError(f"lists nothing in {folder}", where=where, do="run: dvc repro pool")
        result |= found
    return result


def files_of(names: Collection[str], corpora: Collection[str]) -> dict[str, str]:
    """Return the SHA-256 of every file of some corpora that a classifier or an encoder may read, by path.

    Parameters
    ----------
    names : collection of str
        ``shards``, ``labels``, representations, or ``fins`` for the outputs of the FINs, as in ``ClassifierSection.reads``.
    """
    at = {"shards": layout.shards, "labels": layout.labels}
    stored = [name for name in names if name != "fins"]
    folders = [at[name](corpus) if name in at else layout.features(name, corpus) for name in stored for corpus in corpora]
    listed = of_folders(read("classifiers"), folders, layout.pool("classifiers"))
    return listed | checksums(layout.features("fins", corpus) for corpus in corpora if "fins" in names)


def verify(listed: dict[str, str], where: Path) -> None:
    """Raise an error for files that do not have the listed checksums.

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
    """Load the list of ``classifiers``, ``fins`` or ``pretrain/TRUNK``: sha256 by path; errors as in :func:`listed_in`."""
    path = layout.pool(name)
    return listed_in(read_json(path), path)


def listed_in(value: object, where: Path) -> dict[str, str]:
    """Return a list of checksums as it was read.

    Raises
    ------
    FinserError
        It is no mapping of paths to checksums, e.g. of an earlier version of finser.
    """
    if not isinstance(value, dict) or not all(isinstance(sha, str) for sha in value.values()):
        raise FinserError("no list of checksums", where=where, expected="path: sha256", do="run: dvc repro")
    return value
