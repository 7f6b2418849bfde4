"""Every block of every page is a test: `python -m pytest lessons`."""

from sybil import Sybil

from common.threads import one_blas_thread
from course.collecting import regions

one_blas_thread()
pytest_collect_file = Sybil(parsers=[regions], patterns=["[0-9][0-9]_*.md"]).pytest()
