"""Exceptions of the archive, named for the reader's mistake. Every message is one sentence that names the thing."""

from __future__ import annotations

from stixcore.errors import InvalidProduct, StixError


class ArchiveError(StixError):
    """Base of everything this package raises on purpose."""


class NotAnArchive(ArchiveError):
    """The folder does not exist, or cannot be an archive."""


class NotInArchive(ArchiveError):
    """No such file, image or table, or a path that leaves the archive."""


class InvalidName(ArchiveError):
    """A file name that is not built like the name of a STIX product or image."""


class WrongName(ArchiveError, InvalidProduct):
    """A STIX product under the name of another one: of another day, request or product."""


class BadRow(ArchiveError):
    """A row that does not fit its table: unknown column, wrong type, missing value."""


class QueryRefused(ArchiveError):
    """A query that does more than read, is no SQL, or names a column that does not exist."""

    lines = True  # the database marks the place in the query


class QueryTimeout(ArchiveError):
    """A query that ran longer than it was allowed to."""


class IndexDamaged(ArchiveError):
    """A file of the index that cannot be read."""


class IndexVersion(ArchiveError):
    """An index written by newer code, or one that waits for a migration."""


class ArchiveBusy(ArchiveError):
    """Another process holds the write lock for too long."""


class InvalidAccount(ArchiveError):
    """A name, password or label that no user or token can have."""


class NoSuchUser(ArchiveError):
    """There is no user of that name, or they have no such token."""


class UserExists(ArchiveError):
    """A name that is taken."""


class AccountsDamaged(ArchiveError):
    """The file of the users, of secrets or of the configuration cannot be read, or was written by newer software."""
