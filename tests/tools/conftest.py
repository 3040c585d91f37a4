"""The tone of tests/corpora."""

from ..corpora.conftest import write_wav  # noqa: F401
