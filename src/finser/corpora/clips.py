"""The index of a corpus's clips, data/clips/CORPUS.parquet, which `index` writes: its columns and its reader."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finser import layout
from finser.errors import FinserError
from finser.files import why

CLIPS_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("corpus", pa.string()),
        ("path", pa.string()),  # relative to data/raw/CORPUS
        ("sha256", pa.string()),
        ("speaker", pa.string()),
        ("sex", pa.string()),
        ("language", pa.string()),
        ("emotion", pa.string()),
        ("publisher_label", pa.string()),
        ("intensity", pa.string()),
        ("sentence", pa.string()),
        ("start", pa.float64()),  # seconds; null: the clip is the file from its beginning
        ("end", pa.float64()),  # seconds; null: to its end
        ("part", pa.string()),  # of the split that an own corpus's table states; ""
        ("fold", pa.int32()),  # fold in which the table tests on the clip; null
        ("sample_rate", pa.int32()),  # Hz; this and what follows is null for files that were not read
        ("channels", pa.int32()),
        ("n_samples", pa.int64()),  # per channel
        ("seconds", pa.float64()),
        ("peak", pa.float64()),  # of full scale 1, over all channels
        ("rms", pa.float64()),  # of full scale 1, over all channels
        ("status", pa.string()),  # ok, excluded
        ("reason", pa.string()),  # "" when ok
    ]
)
LEFT_OUT = "label "  # how the reason for exclusion begins of a clip whose label has no emotion


def read_clips(corpus: str) -> pa.Table:
    """Read the index of a corpus, with the columns of :data:`CLIPS_SCHEMA`.

    Raises
    ------
    FinserError
        The file is missing, or is no such index.
    """
    path = layout.clips(corpus)
    try:
        table = pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do=f"run first: finser index {corpus}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise FinserError(f"not readable as Parquet ({why(error)})", where=path, do=f"run again: finser index {corpus}") from None
    if not table.schema.equals(CLIPS_SCHEMA):
        raise FinserError("not an index of clips", where=path, expected=f"columns {', '.join(CLIPS_SCHEMA.names)}")
    return table


def usable(corpus: str) -> pa.Table:
    """Return the usable clips of a corpus: clip_id, corpus, speaker, sex, language, emotion, part, fold, sha256 of the file."""
    table = read_clips(corpus)
    table = table.filter(pc.equal(table["status"], "ok"))
    if not table.num_rows:
        raise FinserError("no usable clip", where=layout.clips(corpus), do=f"look at the index: finser index {corpus}")
    return table.select(["clip_id", "corpus", "speaker", "sex", "language", "emotion", "part", "fold", "sha256"])
