"""Stage `prepare_pretraining`: data/pool/pretrain/TRUNK.json, the checksums of all files that an encoder may be pretrained on.

They differ from those of the section that the encoder belongs to: librosa's features are the targets, whatever the network's input is, and
`pretrain.corpora` may name corpora that the section leaves out. The classifier of the section does not depend on them.
"""

from finser import layout
from finser.config.params import Params
from finser.config.sections.classifiers import ClassifierSection
from finser.features import pool
from finser.files import write_json
from finser.progress import say


def prepare_pretraining(params: Params, trunk: str) -> None:
    """Step: write data/pool/pretrain/TRUNK.json, which maps paths to SHA-256."""
    corpora = params.pretrain.corpora or params.pooled
    write_json(layout.pool(f"pretrain/{trunk}"), pool.files_of(reads(params.train_classifier[trunk]), corpora))
    say(f"pretraining of {trunk}: {', '.join(corpora)}")


def reads(options: ClassifierSection) -> tuple[str, ...]:
    """Return what an encoder is pretrained on: what its classifier reads, and the labels."""
    return tuple(dict.fromkeys((*options.reads, "labels")))
