"""How many files and connections this process may have open."""

import contextlib
import resource


def raise_limit() -> None:
    """Take as many as the system allows.

    1024, the usual soft limit, is for programs that call select(), and nothing here does.

    Source:
        https://0pointer.net/blog/file-descriptor-limits.html
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
