"""A publisher's download of a corpus: an archive, single files, or a data set on a Dataverse server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """One archive of all files.

    Attributes
    ----------
    address : str
        Its URL.
    checksum : str
        ``md5:...`` or ``sha256:...``.
    size, unpacked : int
        Size in bytes of the archive, and of the files in it.
    """

    address: str
    checksum: str
    size: int
    unpacked: int


@dataclass(frozen=True)
class SingleFiles:
    """One address per file.

    Attributes
    ----------
    address : str
        Base address of all files.
    mirrors : tuple of str
        Base addresses to use after the first fails.
    folder : str
        Folder of the corpus that holds the files.
    files : callable
        Returns checksum (``sha256:...``) and size in bytes of every file by its name.
    """

    address: str
    mirrors: tuple[str, ...]
    folder: str
    files: Callable[[], Mapping[str, tuple[str, int]]]


@dataclass(frozen=True)
class Dataverse:
    """A data set on a Dataverse server, which lists the files with their md5 checksums.

    Attributes
    ----------
    address : str
        Base address of the server.
    record : str
        The data set's persistent identifier.
    version : str
        The only accepted version: another one may have other files.
    """

    address: str
    record: str
    version: str
