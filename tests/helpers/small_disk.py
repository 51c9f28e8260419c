"""A disk that is full soon: the system refuses to write more than so many bytes into a file."""

import contextlib
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
