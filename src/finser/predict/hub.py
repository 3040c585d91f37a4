"""Bundles of a hub: download and upload by huggingface_hub."""

import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin, constants
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from finser.errors import FinserError
from finser.predict.predictor import LocalPredictor


class Predictor(LocalPredictor, ModelHubMixin, library_name="finser", tags=["speech-emotion-recognition", "audio-classification"]):
    """Emotions of recordings, by the classifiers of a bundle.

    ``Predictor.from_pretrained("folder")`` loads a bundle from a folder, ``Predictor.from_pretrained("user/name")`` one of a hub.
    ``push_to_hub`` uploads it. Parameters, attributes and the methods that predict are those of
    :class:`finser.predict.predictor.LocalPredictor`.
    """

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> str | None:
        """Copy the bundle to another folder; options as in huggingface_hub's ``ModelHubMixin``."""
        if Path(save_directory).resolve() == self.folder.resolve():
            raise FinserError("is the bundle itself", where=save_directory, do="name another folder")
        return super().save_pretrained(save_directory, **options)

    @classmethod
    def from_pretrained(cls, name: str | Path, **options: Any) -> "Predictor":
        """Load a bundle from a folder, or by its id from a hub.

        Parameters
        ----------
        name : str
            Folder or id.
        **options
            ``threshold`` and ``engine``; for a hub also those of huggingface_hub's ``ModelHubMixin.from_pretrained``.

        Raises
        ------
        FinserError
            There is no such folder, and no hub has a bundle of this id; or the bundle is faulty.
        """
        if Path(name).is_dir():
            return cls(name, **options)
        if str(name).count("/") != 1:  # a mistyped folder is no question for a hub
            raise FinserError("no such folder", where=name, do="name a folder that `finser bundle` wrote, or an id like user/name")
        try:
            return super().from_pretrained(str(name), **options)
        except LocalEntryNotFoundError:
            what = f"no such folder; the hub {constants.ENDPOINT} cannot be reached, and no copy of it is here"
            raise FinserError(what, where=name, do="name a folder that `finser bundle` wrote, or connect") from None
        except (HFValidationError, HfHubHTTPError, EntryNotFoundError) as error:
            what = f"no such folder, and no bundle of this id on a hub, or no access to it ({type(error).__name__})"
            raise FinserError(what, where=name, do="name a folder that `finser bundle` wrote, or an id like user/name") from None

    def _save_pretrained(self, save_directory: Path) -> None:
        """Copy the bundle to a folder, for huggingface_hub."""
        shutil.copytree(self.folder, save_directory, dirs_exist_ok=True)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> "Predictor":
        """Download a bundle, for huggingface_hub."""
        from huggingface_hub import snapshot_download

        asked = {name: options.pop(name, None) for name in ("revision", "cache_dir", "force_download", "local_files_only", "token")}
        return cls(snapshot_download(model_id, **{name: value for name, value in asked.items() if value is not None}), **options)
