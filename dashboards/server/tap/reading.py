"""Reading ADQL: from text to a tree of words and signs that are all allowed; what they mean is checked afterwards."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp, parse_one
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.parser import Parser as BaseParser
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer as BaseTokenizer

from dashboards.server.tap.refusals import Refused, shortened

#: Longest query, and most words and signs in it.
LONGEST, MOST_TOKENS = 20_000, 5_000
#: Most parentheses inside each other, and signs before a value.
DEEPEST, MOST_SIGNS = 25, 5

_T = TokenType
_WORDS = {
    _T.VAR, _T.IDENTIFIER, _T.STRING, _T.NUMBER, _T.L_PAREN, _T.R_PAREN, _T.COMMA, _T.DOT, _T.STAR, _T.PLUS, _T.DASH,
    _T.SLASH, _T.EQ, _T.NEQ, _T.LT, _T.LTE, _T.GT, _T.GTE, _T.SELECT, _T.DISTINCT, _T.ALL, _T.TOP, _T.FROM, _T.WHERE,
    _T.AND, _T.OR, _T.NOT, _T.BETWEEN, _T.IN, _T.LIKE, _T.IS, _T.NULL, _T.GROUP_BY, _T.HAVING, _T.ORDER_BY, _T.ASC,
    _T.DESC, _T.OFFSET, _T.ALIAS, _T.JOIN, _T.INNER, _T.LEFT, _T.OUTER, _T.ON, _T.USING, _T.TRUE, _T.FALSE,
}  # fmt: skip
#: Words of SQL and ADQL that are refused by name; others are names of columns and tables.
_REFUSED_WORDS = {
    "ALTER", "ANALYZE", "ANTI", "ANY", "ASOF", "ATTACH", "CALL", "CASE", "CAST", "COPY", "CREATE", "CROSS", "CUBE",
    "DELETE", "DESCRIBE", "DROP", "ESCAPE", "EXCEPT", "EXCLUDE", "EXECUTE", "EXISTS", "EXPLAIN", "FETCH", "FILTER",
    "FINAL", "FOR", "FULL", "GLOBAL", "GROUPING", "IGNORE", "ILIKE", "INSERT", "INSTALL", "INTERSECT", "INTERVAL",
    "INTO", "LATERAL", "LIMIT", "LOAD", "MATCH_RECOGNIZE", "NATURAL", "NULLS", "OVER", "PERCENT", "PIVOT", "PRAGMA",
    "PREWHERE", "QUALIFY", "RESPECT", "RIGHT", "ROLLUP", "SAMPLE", "SEMI", "SET", "SETS", "SHOW", "SOME", "SOUNDS",
    "TABLESAMPLE", "TIES", "UNION", "UNNEST", "UNPIVOT", "UPDATE", "VALUES", "WINDOW", "WITH", "WITHIN",
}  # fmt: skip


class Adql(Dialect):
    """ADQL as sqlglot reads it: few words have a meaning, and every function is a name with arguments."""

    class Tokenizer(BaseTokenizer):
        """With TOP, and without words of other dialects; their signs stay, and are refused."""

        KEYWORDS: ClassVar[dict[str, TokenType]] = {
            word: kind
            for word, kind in {**BaseTokenizer.KEYWORDS, "TOP": TokenType.TOP}.items()
            if kind in _WORDS or not word[0].isalpha()
        }

    class Parser(BaseParser):
        """Without the functions that sqlglot knows."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}


def read_tree(query: str) -> exp.Select:
    """The tree of a query whose words and signs are all allowed.

    Raises
    ------
    Refused
        If others are in it, or it cannot be read.
    """
    if len(query) > LONGEST:
        message = f"the query has {len(query)} characters, {LONGEST} at most"
        raise Refused(message)
    strange = next((sign for sign in query if not (sign.isprintable() or sign in "\n\r\t")), None)
    if strange is not None:
        message = f"the query has the character U+{ord(strange):04X}, which is not printable"
        raise Refused(message)
    dialect = Dialect.get_or_raise(Adql)
    try:
        tokens = dialect.tokenize(query)
    except SqlglotError as error:
        message = "the query cannot be read: a quotation mark or a comment has no end"
        raise Refused(message) from error
    if tokens and tokens[-1].token_type is _T.SEMICOLON:
        tokens.pop()
        query = query.rstrip().removesuffix(";")
    _check_tokens(tokens)
    try:
        tree = parse_one(query, dialect=Adql)
    except SqlglotError as error:
        raise Refused(_parse_sentence(error)) from error
    if not isinstance(tree, exp.Select):
        message = "a query is one SELECT"
        raise Refused(message)
    return tree


def _check_tokens(tokens: list[Token]) -> None:
    if not tokens or tokens[0].token_type is not _T.SELECT:
        message = "a query begins with SELECT"
        raise Refused(message)
    if len(tokens) > MOST_TOKENS:
        message = f"the query has {len(tokens)} words and signs, {MOST_TOKENS} at most"
        raise Refused(message)
    depth = signs = 0
    for token in tokens:
        kind, text = token.token_type, token.text
        after_select = kind is _T.SELECT and token is not tokens[0]
        is_word = kind is _T.VAR and text.upper() in _REFUSED_WORDS
        if kind not in _WORDS or after_select or is_word:
            what = "a second SELECT" if after_select else repr(shortened(text))
            message = f"{what} is not part of the ADQL of this service"
            raise Refused(message)
        depth += (kind is _T.L_PAREN) - (kind is _T.R_PAREN)
        signs = signs + 1 if kind in {_T.NOT, _T.DASH, _T.PLUS} else 0
        if depth > DEEPEST or signs > MOST_SIGNS:
            message = "the query is nested too deeply"
            raise Refused(message)


def _parse_sentence(error: SqlglotError) -> str:
    found = (getattr(error, "errors", None) or [{}])[0]
    near = shortened(str(found.get("highlight") or ""))
    place = f" at line {found['line']}, column {found['col']}" if found.get("line") else ""
    return f"the query cannot be read{place}" + (f", near {near!r}" if near else "")
