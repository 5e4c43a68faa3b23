"""The files that stand beside a SQLite database: for whoever may write to it, and nobody else."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PRIVATE = 0o600
"""How a database is made: it holds what people are called and where they are written to. SQLite gives its own files
beside it the same rights."""


def name_beside(database: Path, ending: str) -> Path:
    """Where such a file is."""
    return database.with_name(database.name + ending)


def open_beside(database: Path, ending: str) -> int:
    """Open such a file to read and write, making it where it is missing: with the database's owner, group and rights to
    write, whoever makes it. Raises OSError."""
    found = database.stat() if database.exists() else None
    rights = PRIVATE if found is None else (found.st_mode & 0o222) * 3
    flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(name_beside(database, ending), flags, rights)
    with suppress(OSError):  # whoever did not make it
        os.fchmod(file, rights)  # past the umask: another user may follow
        if found is not None and (found.st_uid, found.st_gid) != _owner(file):  # a sandbox may forbid the very call
            os.fchown(file, found.st_uid, found.st_gid)
    return file


def _owner(file: int) -> tuple[int, int]:
    made = os.fstat(file)
    return made.st_uid, made.st_gid
