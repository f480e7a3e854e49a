"""Logging, configured once by the command line: plain lines for people, or one JSON object per line for programs."""

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

#: Attribute of a log record that holds its `fields`.
_FIELDS = "stix_fields"
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def fields(**values: Any) -> dict[str, dict[str, Any]]:
    """Extra values of a log record: ``log.info("fetched %s", name, extra=fields(file=name))``."""
    return {_FIELDS: values}


def configure(*, verbose: bool = False, as_json: bool = False, stream: TextIO | None = None, **context: Any) -> None:
    """Send the log to standard error or ``stream``; called once by the command line, never by a library.

    Parameters
    ----------
    verbose : bool
        Log every step; otherwise only warnings and errors.
    as_json : bool
        One JSON object per line: ``time`` (UTC), ``level``, ``logger``, ``message``, fields, ``exception``.
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
    """Write a message to standard error: as a plain line for people, or as a log record if the log is JSON.

    Parameters
    ----------
    sentence : str
    level : int
        Level of the log record; plain lines are written at every level.
    lines : bool
        Keep line breaks in the sentence; otherwise they are escaped like other unprintable characters.
    """
    if any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers):
        logging.getLogger("stix-jobs").log(level, "%s", sentence)
    else:
        sys.stderr.write(printable(sentence, lines=lines) + "\n")


def say(*sentences: str) -> None:
    """Print a line for each sentence to standard output, all at once; unprintable characters are escaped."""
    sys.stdout.write("".join(f"{printable(sentence)}\n" for sentence in sentences))
    sys.stdout.flush()


class _EscapedRecord(logging.LogRecord):
    """A log record with unprintable characters escaped, which are unsafe on a terminal and in a log file."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.exc_info and self.exc_info[0] is not None:
            self.exc_text = _escaped_traceback(*self.exc_info)

    def getMessage(self) -> str:  # noqa: N802 - logging's
        """Return the message in one line, with unprintable characters escaped."""
        return printable(super().getMessage())


def escape_records() -> None:
    """Escape unprintable characters in the log records of all loggers of this process."""
    logging.setLogRecordFactory(_EscapedRecord)


def _escaped_traceback(
    kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
) -> str:
    """A traceback in which no line can be taken for a new log record."""
    lines = "".join(traceback.format_exception(kind, error, place)).rstrip("\n").split("\n")
    return "\n".join([printable(lines[0]), *(f"  {printable(line)}" for line in lines[1:])])


def _print_escaped(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    sys.stderr.write(_escaped_traceback(kind, error, place) + "\n")


class _Utc(logging.Formatter):
    """Formats plain lines with times in UTC."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        return _stamp(record)


class JsonFormatter(logging.Formatter):
    """Formats each log record as one line of JSON.

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
