"""The made-up results of tests/report."""

from ..report.conftest import *  # noqa: F403
