"""Exceptions of the archive. Every message is one sentence that names the file, table or value concerned."""

from __future__ import annotations

from stixcore.errors import InvalidProduct, StixError


class ArchiveError(StixError):
    """Base class of the exceptions of this package."""


class NotAnArchive(ArchiveError):
    """The folder does not exist or is not an archive."""


class NotInArchive(ArchiveError):
    """No such file, image or table, or a path that leaves the archive."""


class InvalidName(ArchiveError):
    """A file name that does not have the form of the name of a STIX product or image."""


class WrongName(ArchiveError, InvalidProduct):
    """A STIX product with the name of another day, request or product."""


class BadRow(ArchiveError):
    """A row that does not fit its table: unknown column, wrong type, missing value."""


class ReadOnlyArchive(ArchiveError):
    """Writing to a published archive."""


class Unreachable(ArchiveError):
    """The server of a published archive did not give an answer, or not the one that is needed."""


class PublicationChanged(Unreachable):
    """A file of a published archive is not, or no longer, the one that its manifest names."""


class QueryRefused(ArchiveError):
    """A query that is not valid SQL, does not only read, or names an unknown column."""

    lines = True  # the database points to the error in the query


class QueryTimeout(ArchiveError):
    """A query that exceeded its time limit."""


class IndexDamaged(ArchiveError):
    """A file of the index that cannot be read."""


class IndexVersion(ArchiveError):
    """An index written by newer software, or one that must be migrated first."""


class ArchiveBusy(ArchiveError):
    """Another process held a lock for longer than the time limit."""


class InvalidAccount(ArchiveError):
    """An invalid user name, password or token label."""


class NoSuchUser(ArchiveError):
    """No user has this name, or the user does not have this token."""


class UserExists(ArchiveError):
    """A user with this name exists already."""


class AccountsDamaged(ArchiveError):
    """The file of users, secrets or configuration is unreadable or was written by newer software."""


class BadSettings(ArchiveError):
    """The configuration of the archive (``config.toml``) cannot be read or has an invalid entry."""
