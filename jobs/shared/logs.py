"""Logging, configured once by the command line: lines for people, or one JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from stixcore.printable import printable

#: Key under which `fields` travels through a log record.
_FIELDS = "stix_fields"
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def fields(**values: Any) -> dict[str, dict[str, Any]]:
    """Values for a log record besides its sentence: ``log.info("fetched %s", name, extra=fields(file=name))``."""
    return {_FIELDS: values}


def configure(*, verbose: bool = False, as_json: bool = False, stream: TextIO | None = None, **context: Any) -> None:
    """Send the log to standard error (or ``stream``); called once, by a command line and never by a library.

    Parameters
    ----------
    verbose : bool
        Every step; otherwise warnings and errors.
    as_json : bool
        One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, fields, ``exception``.
    stream : text stream, optional
    context
        Fields of every JSON line, such as the command and the archive.
    """
    escape_records()
    sys.excepthook = _print_escaped
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(context) if as_json else _Utc(_FORMAT))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def tell(sentence: str, level: int = logging.ERROR, *, lines: bool = False) -> None:
    """Say something on standard error: a plain line to a person, a line of the log where a machine reads along.

    Parameters
    ----------
    sentence : str
    level : int
        Of the log line; a person sees every sentence.
    lines : bool
        Line breaks in the sentence are meant; otherwise they are escaped like everything that is not printable.
    """
    if any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers):
        logging.getLogger("stix-jobs").log(level, "%s", sentence)
    else:
        sys.stderr.write(printable(sentence, lines=lines) + "\n")


def say(*sentences: str) -> None:
    """Print lines to standard output, at once; what is not printable in them is escaped."""
    for sentence in sentences:
        sys.stdout.write(printable(sentence) + "\n")
    sys.stdout.flush()


class _EscapedRecord(logging.LogRecord):
    """A record whose text is safe for a terminal and for readers of the log, whatever names and values it quotes."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.exc_info and self.exc_info[0] is not None:
            self.exc_text = _escaped_traceback(*self.exc_info)

    def getMessage(self) -> str:  # noqa: N802 - logging's
        """Return the message in one line, with what is not printable escaped."""
        return printable(super().getMessage())


def escape_records() -> None:
    """Escape what is not printable in every log record of this process, from whichever logger."""
    logging.setLogRecordFactory(_EscapedRecord)


def _escaped_traceback(
    kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
) -> str:
    """A traceback in which no line looks like the beginning of another entry of the log."""
    lines = "".join(traceback.format_exception(kind, error, place)).rstrip("\n").split("\n")
    return "\n".join([printable(lines[0]), *(f"  {printable(line)}" for line in lines[1:])])


def _print_escaped(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    sys.stderr.write(_escaped_traceback(kind, error, place) + "\n")


class _Utc(logging.Formatter):
    """Lines for people, in UTC like every other time of the archive."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        return _stamp(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, whatever is logged.

    Parameters
    ----------
    context : mapping
        Fields of every line.
    """

    def __init__(self, context: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._context = dict(context or {})

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line = self._context | getattr(record, _FIELDS, {})
        line |= {
            "time": _stamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str, sort_keys=True)


def _stamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
