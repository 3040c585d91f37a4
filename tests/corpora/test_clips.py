import pytest

from finser import layout
from finser.corpora.clips import read_clips
from finser.errors import FinserError


def test_an_index_that_is_none(project, write_wav):
    with pytest.raises(FinserError, match="finser index tess"):
        read_clips("tess")
    layout.clips("tess").parent.mkdir(parents=True)
    layout.clips("tess").write_bytes(b"PAR1 no")
    with pytest.raises(FinserError, match="not readable as Parquet"):
        read_clips("tess")
