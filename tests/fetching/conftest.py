"""The local server of tests/corpora."""

from ..corpora.conftest import *  # noqa: F403
