"""Receivers of notices in ``config.toml`` of an archive.

::

    [about]
    url = "https://stix.example.org"     # of the pages, for links

    [notices]
    give_up_days = 3

    [[webhook]]
    name = "alerts"
    url = "https://alerts.example.org/stix"
    secret_file = "alerts.secret"        # or secret_env = "STIX_ALERTS"
    events = ["flare", "update", "failure"]
    goes_min = "M1"

    [[mail]]
    name = "group"
    to = ["flares@example.org"]
    from = "stix@example.org"
    host = "mail.example.org"
    digest = "daily"

Only the operator writes this file, so no visitor can choose an address to which the server connects.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from archive.about import About
from archive.accounts.provider_users import FILE_NAME
from archive.errors import BadSettings
from jobs.notices.subjects import Subject
from stixcore.errors import StixError
from stixcore.flares.goes import flux_of_class

EVENTS = ("flare", "update", "failure")
EACH, DAILY = "each", "daily"
#: Port at which the connection is encrypted from its start.
IMPLICIT_TLS = 465
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_LARGEST_SECRET = 4096
_NOTICES = {"give_up_days"}
_COMMON = {"name", "events", "goes_min", "trusted", "simulated", "enabled"}
_WEBHOOK = _COMMON | {"url", "secret_file", "secret_env"}
_MAIL = _COMMON | {"to", "from", "host", "port", "starttls", "user", "password_file", "digest"}


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Who is notified, and of what.

    Attributes
    ----------
    name : str
        Identity in the journal: the name in the configuration, and for e-mail the address.
    events : tuple of str
        Of `EVENTS`.
    flux_min : float, W m⁻²
        Least GOES flux of a flare, measured or else estimated; None for all flares.
    trusted : bool
        Only flares with a trusted position.
    simulated : bool
        Also simulated flares.
    enabled : bool
        A disabled receiver gets no new notices; those that wait are kept.
    """

    name: str
    events: tuple[str, ...] = ("flare", "update")
    flux_min: float | None = None
    trusted: bool = False
    simulated: bool = False
    enabled: bool = True

    @property
    def digest(self) -> str:
        """`EACH` notice in a message of its own, or those of a day together (`DAILY`)."""
        return EACH

    def wants(self, event: str, subject: Subject) -> bool:
        """Whether it is to get this event."""
        if not self.enabled or event not in self.events or (subject.simulated and not self.simulated):
            return False
        if event == "failure":
            return True
        bright = self.flux_min is None or (subject.flux is not None and subject.flux >= self.flux_min)
        return bright and (subject.trusted is True or not self.trusted)


@dataclass(frozen=True, kw_only=True)
class Webhook(Receiver):
    """A program that receives POST requests.

    Attributes
    ----------
    url : str
    secret : bytes
        Key of the signature; never shown.
    """

    url: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Webhook({self.name!r})"


@dataclass(frozen=True, kw_only=True)
class Mailbox(Receiver):
    """An e-mail address.

    Attributes
    ----------
    to, sender : str
    host : str
    port : int
    starttls : bool
        Encrypt the connection; without it, there is no sign-in.
    user, password : str
        Empty: the mail server wants no sign-in.
    each : bool
        A message for each notice; else one a day.
    """

    to: str
    sender: str
    host: str
    port: int = 587
    starttls: bool = True
    user: str = ""
    password: str = ""
    each: bool = True

    @property
    def digest(self) -> str:
        """`EACH` or `DAILY`."""
        return EACH if self.each else DAILY

    def __repr__(self) -> str:
        return f"Mailbox({self.name!r})"


@dataclass(frozen=True)
class NoticeSettings:
    """All receivers.

    Attributes
    ----------
    receivers : tuple of Receiver
    url : str
        Address of the pages without a trailing slash; empty if it is not configured.
    give_up_days : float
        A notice that could not be sent for this long is given up.
    """

    receivers: tuple[Receiver, ...] = ()
    url: str = ""
    give_up_days: float = 3.0

    @classmethod
    def of(cls, root: Path, environment: Mapping[str, str] = os.environ) -> NoticeSettings:
        """Settings of an archive.

        Raises
        ------
        BadSettings
            When the file cannot be read, naming the key that is missing, unknown or wrong; never a secret.
        """
        path = root / FILE_NAME
        document = _document(path)
        section = _notices(path, document)
        found: list[Receiver] = []
        for kind, make in (("webhook", _webhook), ("mail", _mailboxes)):
            for number, table in enumerate(_tables(path, document, kind), 1):
                found += make(_Table(path, f"[[{kind}]] {number}", table), root, environment)
        names = [one.name for one in found]
        for name in names:
            if names.count(name) > 1:
                message = f"{path}: two receivers have the name {name!r}"
                raise BadSettings(message)
        return cls(tuple(found), About.of(root).url, float(section.get("give_up_days", cls.give_up_days)))


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        message = f"{path} cannot be read: {error}"
        raise BadSettings(message) from error


def _notices(path: Path, document: dict[str, Any]) -> dict[str, Any]:
    table = document.get("notices", {})
    if not isinstance(table, dict):
        message = f"{path}: notices must be a section"
        raise BadSettings(message)
    section = _Table(path, "[notices]", table)
    section.require_known(_NOTICES)
    days = table.get("give_up_days", 3)
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days <= 365:
        section.refuse("give_up_days", "a number of days, at most 365", days)
    return table


def _tables(path: Path, document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    tables = document.get(kind, [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        message = f"{path}: {kind} must be a list of tables, [[{kind}]]"
        raise BadSettings(message)
    return tables


@dataclass(frozen=True)
class _Table:
    """A table of the configuration, and errors that name it."""

    path: Path
    where: str
    values: dict[str, Any]

    def refuse(self, key: str, expected: str, found: object = None) -> NoReturn:
        seen = "" if found is None else f", found {found!r}"
        message = f"{self.path}: {self.where} {key}: expected {expected}{seen}"
        raise BadSettings(message)

    def require_known(self, known: set[str]) -> None:
        for key in self.values:
            if key not in known:
                message = f"{self.path}: {self.where} has {key!r}; its keys are {', '.join(sorted(known))}"
                raise BadSettings(message)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value.isprintable() or (default is None and not value):
            self.refuse(key, "a text", value)
        return value

    def truth(self, key: str, *, default: bool) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.refuse(key, "true or false", value)
        return value

    def address(self, key: str) -> str:
        """An http or https address; the message does not show it, because it may contain a token."""
        value = self.text(key)
        try:
            parts = urlsplit(value)
            valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and " " not in value
        except ValueError:
            valid = False
        if not valid:
            self.refuse(key, "an address that begins with http:// or https://")
        return value

    def mail_address(self, key: str, value: object) -> str:
        try:
            if not isinstance(value, str) or not value.isascii() or not value.isprintable():
                self.refuse(key, "an e-mail address", value)
            address = Address(addr_spec=value)
        except (ValueError, IndexError, MessageError):
            self.refuse(key, "an e-mail address", value)
        if not (address.username and address.domain):
            self.refuse(key, "an e-mail address", value)
        return value

    def secret(self, key: str, root: Path) -> str:
        """Content of a file that only its owner can read; relative to the archive."""
        path = root / self.text(key)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_SECRET:
                self.refuse(key, f"a small file, found {path}")
            if status.st_mode & 0o077:
                self.refuse(key, f"a file that only its owner can read (chmod 600 {path})")
            return path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            message = f"{self.path}: {self.where} {key}: {path} cannot be read: {type(error).__name__}"
            raise BadSettings(message) from error


def _common(table: _Table) -> dict[str, Any]:
    name = table.text("name")
    if not _NAME.fullmatch(name):
        table.refuse("name", "a word of small letters and digits", name)
    events = table.values.get("events", ["flare", "update"])
    if not isinstance(events, list) or not events or not all(one in EVENTS for one in events):
        table.refuse("events", f"a list of {', '.join(EVENTS)}", events)
    flux = None
    if "goes_min" in table.values:
        given = table.text("goes_min")
        try:
            flux = flux_of_class(given)
        except StixError:
            flux = None
        if flux is None:
            table.refuse("goes_min", "a GOES class such as M1", given)
    return {
        "name": name,
        "events": tuple(events),
        "flux_min": flux,
        **{key: table.truth(key, default=False) for key in ("trusted", "simulated")},
        "enabled": table.truth("enabled", default=True),
    }


def _webhook(table: _Table, root: Path, environment: Mapping[str, str]) -> list[Receiver]:
    table.require_known(_WEBHOOK)
    if ("secret_file" in table.values) == ("secret_env" in table.values):
        table.refuse("secret_file", "this key or secret_env, and not both")
    if "secret_file" in table.values:
        secret = table.secret("secret_file", root)
    else:
        secret = environment.get(table.text("secret_env"), "")
    return [Webhook(**_common(table), url=table.address("url"), secret=_key(table, secret))]


def _key(table: _Table, text: str) -> bytes:
    """Key of the signature from its text form, ``whsec_`` and base64 (Standard Webhooks)."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        table.refuse("secret", "whsec_ and 24 to 64 bytes in base64")
    return key


def _mailboxes(table: _Table, root: Path, environment: Mapping[str, str]) -> list[Receiver]:
    del environment
    table.require_known(_MAIL)
    common, to = _common(table), table.values.get("to")
    addresses = to if isinstance(to, list) and to else [to]
    port = table.values.get("port", 587)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        table.refuse("port", "a whole number from 1 to 65535", port)
    digest = table.values.get("digest", EACH)
    if digest not in (EACH, DAILY):
        table.refuse("digest", f'"{EACH}" or "{DAILY}"', digest)
    starttls, user = table.truth("starttls", default=True), table.text("user", "")
    if user and not starttls and port != IMPLICIT_TLS:
        table.refuse("starttls", "true, because a password must not be sent in the clear")
    rest = {
        "sender": table.mail_address("from", table.values.get("from")),
        "host": table.text("host"),
        "port": port,
        "starttls": starttls,
        "user": user,
        "password": table.secret("password_file", root) if user else "",
        "each": digest == EACH,
    }
    found: list[Receiver] = []
    for value in addresses:
        address = table.mail_address("to", value)
        # one message per address: each is acknowledged on its own, and nobody sees the others
        found.append(Mailbox(**(common | {"name": f"{common['name']} {address}"}), to=address, **rest))
    return found
