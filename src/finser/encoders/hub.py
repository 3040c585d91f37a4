"""Files of a repository on a hub, downloaded by huggingface_hub, whose environment variables apply.

They are cached in HF_HOME and come from HF_ENDPOINT, with HF_TOKEN where access is restricted, and from the cache alone under
HF_HUB_OFFLINE=1. A connection that breaks is resumed; a process that ends leaves no part of a file.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from finser.config.sections.fetch_weights import COMMIT, Weights
from finser.config.sections.known_weights import PICKLE, SAFETENSORS
from finser.encoders.reading import CONFIG, PREPROCESSOR, Published
from finser.errors import FinserError
from finser.files import disk_is_full, why
from finser.progress import say

Answer = TypeVar("Answer")
MAIN = "main"
DIGEST = re.compile(r"[0-9a-f]{64}")
REFUSED = (401, 403)


def download(options: Weights) -> Published:
    """Return the files of published weights in huggingface_hub's cache, after downloading those that it lacks.

    A branch or tag is resolved first, so that all files are of one commit.

    Raises
    ------
    FinserError
        The repository, revision or a file does not exist, or access to it is refused; the hub fails; the disk is full.
    """
    repo, revision = options.repo, options.revision or MAIN
    commit = _ask(lambda: _commit(repo, revision), repo, revision)
    bare = options.family == "byol_s"  # it has one size, and no configuration
    config = None if bare else _first(repo, commit, CONFIG)
    preprocessor = None if bare else _optional(repo, commit, PREPROCESSOR)
    weights = _first(repo, commit, *([options.file] if options.file else [SAFETENSORS, PICKLE]))
    say(f"{repo}: {weights.name} of commit {commit}")
    blob = weights.resolve().name  # in the cache, the hub's ETag: the SHA-256 of a large file
    return Published(weights, config, preprocessor, commit, blob if DIGEST.fullmatch(blob) else None)


def _commit(repo: str, revision: str) -> str:
    """Return the commit of a branch or tag as the hub states it now; offline, the one that the cache recorded last.

    ``resolve_revision`` alone would return the recorded commit of a hub that fails, too.
    """
    from huggingface_hub import HfApi, constants

    if COMMIT.fullmatch(revision):
        return revision
    stated = None if constants.is_offline_mode() else HfApi().repo_info(repo, revision=revision).sha
    recorded = HfApi().resolve_revision(repo, revision=revision).resolved  # records the commit in the cache
    return stated or recorded


def _first(repo: str, commit: str, *names: str) -> Path:
    """Return the first of some files that the repository has, or that the cache has if huggingface_hub is offline."""
    from huggingface_hub import constants
    from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError

    absent = (RemoteEntryNotFoundError, *([LocalEntryNotFoundError] if constants.is_offline_mode() else []))
    for name in names[:-1]:
        try:
            return Path(_get(repo, commit, name))
        except absent:
            continue
        except Exception as error:
            raise _explained(error, repo, commit, name) from None
    return Path(_ask(lambda: _get(repo, commit, names[-1]), repo, commit, " or ".join(names)))


def _optional(repo: str, commit: str, name: str) -> Path | None:
    """Return a file, or None if the repository has none of this name, which the cache remembers."""
    from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache
    from huggingface_hub.errors import RemoteEntryNotFoundError

    if try_to_load_from_cache(repo, name, revision=commit) is _CACHED_NO_EXIST:
        return None
    try:
        return Path(_get(repo, commit, name))
    except RemoteEntryNotFoundError:
        return None
    except Exception as error:
        raise _explained(error, repo, commit, name) from None


def _get(repo: str, commit: str, name: str) -> str:
    from huggingface_hub import hf_hub_download

    return hf_hub_download(repo, name, revision=commit)


def _ask(call: Callable[[], Answer], repo: str, revision: str, name: str = "") -> Answer:
    try:
        return call()
    except Exception as error:  # huggingface_hub raises errors of its own, of its HTTP library, of the system and of hf_xet
        raise _explained(error, repo, revision, name) from None


def _explained(error: Exception, repo: str, revision: str, name: str) -> FinserError:
    """Return an error of huggingface_hub as one line."""
    from huggingface_hub import constants, errors

    page, wanted = f"{constants.ENDPOINT}/{repo}", f"{name} of " if name else ""
    if disk_is_full(error):
        do = "free some space, or set HF_HOME to a folder on another disk; then run again"
        return FinserError(f"no space left to download {wanted}{repo}", where=constants.HF_HUB_CACHE, do=do)
    if isinstance(error, errors.GatedRepoError):
        return _gated(page)
    if isinstance(error, errors.RepositoryNotFoundError):
        do = "correct repo in params.yaml; for a private one set HF_TOKEN to a token that may read it"
        return FinserError("no such repository, or a private one", where=page, do=do)
    if isinstance(error, errors.RevisionNotFoundError):
        return FinserError("no such revision", where=page, found=revision, do="correct revision in params.yaml")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return FinserError(f"no such file: {name}", where=page, found=f"revision {revision}", do="name its file in params.yaml")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in REFUSED:
        return FinserError(f"access refused ({status})", where=page, do="set HF_TOKEN to a valid token that may read it, or unset it")
    return _unreachable(error, page, wanted, revision)


def _gated(page: str) -> FinserError:
    from huggingface_hub import get_token

    has = "the account of your token has not accepted them" if get_token() else "no token"
    do = f"sign in and accept them at {page}, then set HF_TOKEN to a token of that account"
    return FinserError("gated: only for accounts that accepted its publisher's terms", where=page, found=has, do=do)


def _unreachable(error: Exception, page: str, wanted: str, revision: str) -> FinserError:
    """Return the error for a hub that does not answer as a hub, or not at all."""
    from huggingface_hub import constants, errors

    cause = error.__cause__ or error
    if constants.is_offline_mode():
        what = f"{wanted}revision {revision} is not in the cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE is set"
        return FinserError(what, where=page, do="unset it, or copy the cache of a machine that fetched it (HF_HOME)")
    if isinstance(cause, errors.FileMetadataError | AssertionError | ValueError | KeyError):
        do = "check HF_ENDPOINT and your proxy: a login page may be in between"
        return FinserError("the answer is not that of a hub", where=page, do=do)
    reason = why(cause).split(" For more information")[0]
    return FinserError(f"{wanted}revision {revision} cannot be downloaded ({reason})", where=page, do="run it again later")
