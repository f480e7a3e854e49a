"""From ADQL to SQL: the tree of a query is checked node by node, and SQL for DuckDB is written from it.

Text of the query never becomes SQL: names are looked up in `TABLES`, numbers are read and written again, texts are
parameters. Whatever is not listed here is refused (``docs/decisions/adql.md``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dashboards.server.tap.functions import AGGREGATES, DECIMALS, FUNCTIONS, aggregate_term, function_term
from dashboards.server.tap.geometry import NAMES, geometry
from dashboards.server.tap.published import ARROW, Kind, PublishedColumn, PublishedTable
from dashboards.server.tap.reading import Adql, read_tree
from dashboards.server.tap.refusals import Refused, shortened
from dashboards.server.tap.tables import TABLES
from dashboards.server.tap.terms import NUMBERS, Term, alike, number_term, of_kind

#: Most joined tables, and wildcards and characters of a pattern.
MOST_JOINS, MOST_WILDCARDS, LONGEST_PATTERN = 2, 3, 200
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
#: A text of the query in SQL that is not finished: its number between signs that neither queries nor addresses have.
_TEXT = "\0{}\0"
_TEXTS = re.compile("\0(\\d+)\0")


@dataclass(frozen=True)
class Statement:
    """A query for DuckDB.

    Attributes
    ----------
    sql : str
        Without a limit.
    parameters : list of str
    schema : pyarrow.Schema
        Of its answer.
    top, offset : int or None
    tables : tuple of PublishedTable
        The tables that it reads.
    """

    sql: str
    parameters: list[str]
    schema: pa.Schema
    top: int | None
    offset: int | None
    tables: tuple[PublishedTable, ...]

    def limited(self, rows: int) -> str:
        """The query with at most this number of rows."""
        most = rows if self.top is None else min(rows, self.top)
        return f"{self.sql} LIMIT {most}" + ("" if self.offset is None else f" OFFSET {self.offset}")


def translate(query: str, server: str) -> Statement:
    """Translate a query.

    Parameters
    ----------
    query : str
        ADQL.
    server : str
        Address of this server, for columns with addresses of files.

    Raises
    ------
    Refused
        With the part that is not allowed.
    """
    try:
        return _Translation(server).statement(read_tree(query))
    except RecursionError:
        message = "the query is nested too deeply"
        raise Refused(message) from None


@dataclass
class _Translation:
    """The translation of one query."""

    server: str
    tables: dict[str, PublishedTable] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)
    aggregates: str = ""
    aliases: dict[str, int] = field(default_factory=dict)

    def statement(self, tree: exp.Select) -> Statement:
        """Translate the whole query."""
        _only(tree, "expressions", "distinct", "limit", "from_", "joins", "where", "group", "having", "order", "offset")
        source = self._sources(tree)
        self.aggregates = "in WHERE"
        where = self._clause(" WHERE ", tree.args.get("where"))
        self.aggregates = ""
        items = self._items(tree)
        self.aggregates = "in GROUP BY"
        group = self._list(" GROUP BY ", tree.args.get("group"), self._position)
        self.aggregates = ""
        having = self._clause(" HAVING ", tree.args.get("having"))
        order = self._list(" ORDER BY ", tree.args.get("order"), self._ordered)
        names, fields = _names(items)
        selected = ", ".join(f'{term.sql} AS "{name}"' for (_, term), name in zip(items, names, strict=True))
        distinct = "DISTINCT " if _distinct(tree) else ""
        sql, used = self._with_parameters(
            f"SELECT {distinct}{selected} FROM {source}{where}{group}{having}{order}"  # noqa: S608 (written here)
        )
        return Statement(
            sql,
            used,
            pa.schema(fields, metadata={"name": "_".join(table.name for table in self.tables.values())}),
            _count(tree.args.get("limit"), "TOP"),
            _count(tree.args.get("offset"), "OFFSET"),
            tuple(self.tables.values()),
        )

    def _with_parameters(self, sql: str) -> tuple[str, list[str]]:
        """SQL with numbered parameters for its texts, and their values; a time has become SQL, and needs none."""
        texts = list(self.texts)
        used = list(dict.fromkeys(int(found) for found in _TEXTS.findall(sql)))
        places = {number: place for place, number in enumerate(used, start=1)}
        finished = _TEXTS.sub(lambda found: f"CAST(${places[int(found[1])]} AS VARCHAR)", sql)
        return finished, [texts[number] for number in used]

    def _sources(self, tree: exp.Select) -> str:
        start, joins = tree.args.get("from_"), tree.args.get("joins") or []
        if start is None:
            message = f"FROM is missing; the tables are {', '.join(t.name for t in TABLES.values())}"
            raise Refused(message)
        if len(joins) > MOST_JOINS:
            message = f"the query joins {len(joins) + 1} tables, {MOST_JOINS + 1} at most"
            raise Refused(message)
        _only(start, "this")
        return self._table(start.this) + "".join(map(self._join, joins))

    def _table(self, node: exp.Expr) -> str:
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            message = "FROM takes the name of a table"
            raise Refused(message)
        _only(node, "this", "db", "alias")
        name = f"{node.db}.{node.name}".lower() if node.db else node.name.lower()
        if name not in TABLES:
            known = ", ".join(table.name for table in TABLES.values())
            message = f"there is no table {shortened(name)!r}; the tables are {known}"
            raise Refused(message)
        alias = (node.alias or node.name).lower()
        if not _NAME.fullmatch(alias) or alias in self.tables:
            message = f"{shortened(alias)!r} cannot name a table here: use letters and digits, and each name once"
            raise Refused(message)
        if node.args.get("alias") is not None:
            _only(node.args["alias"], "this")
        self.tables[alias] = TABLES[name]
        return f'({TABLES[name].query(self.server)}) AS "{alias}"'

    def _join(self, join: exp.Join) -> str:
        _only(join, "this", "side", "kind", "on", "using")
        side, kind = join.side.upper(), join.kind.upper()
        condition = join.args.get("on")
        if side not in {"", "LEFT"} or kind not in {"", "INNER", "OUTER"} or condition is None:
            message = "tables are joined by [INNER | LEFT OUTER] JOIN … ON a.column = b.column"
            raise Refused(message)
        table = self._table(join.this)
        pairs = [self._join_pair(pair) for pair in _flat(condition, exp.And)]
        return f"{' LEFT' if side else ''} JOIN {table} ON {' AND '.join(pairs)}"

    def _join_pair(self, node: exp.Expr) -> str:
        terms = [self.term(side) for side in (node.left, node.right)] if isinstance(node, exp.EQ) else []
        columns = [term.column for term in terms]
        if not terms or not all(column is not None and column.joins for column in columns):
            message = "ON takes equal identifiers of two tables, such as f.flare_id = i.flare_id, joined by AND"
            raise Refused(message)
        return f"{terms[0].sql} = {terms[1].sql}"

    def _items(self, tree: exp.Select) -> list[tuple[str, Term]]:
        """What is selected, with its alias or an empty one; a star is all columns."""
        items: list[tuple[str, Term]] = []
        for node in tree.expressions:
            if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
                items += self._star(node)
                continue
            alias = ""
            if isinstance(node, exp.Alias):
                _only(node, "this", "alias")
                alias, node = node.alias, node.this  # noqa: PLW2901 (the expression below the alias)
                if not _NAME.fullmatch(alias):
                    message = f"{shortened(alias)!r} cannot be a name: use letters, digits and _"
                    raise Refused(message)
                self.aliases.setdefault(alias.lower(), len(items) + 1)
            term = self.term(node)
            if term.kind in {Kind.POINT, Kind.CIRCLE}:
                message = f"{term.kind} can be compared and measured, but not selected"
                raise Refused(message)
            items.append((alias or (str(node.this).lower() if isinstance(node, exp.Anonymous) else ""), term))
        if not items:
            message = "nothing is selected"
            raise Refused(message)
        return items

    def _star(self, node: exp.Expr) -> list[tuple[str, Term]]:
        _only(node, *(("this", "table", "db") if isinstance(node, exp.Column) else ()))
        star = node.this if isinstance(node, exp.Column) else node
        _only(star)
        chosen = [self._alias(node)] if isinstance(node, exp.Column) else list(self.tables)
        return [("", _column_term(alias, column)) for alias in chosen for column in self.tables[alias].columns]

    def _alias(self, node: exp.Column) -> str:
        """Name here of the table that a column names."""
        name = node.table.lower()
        if name not in self.tables or (node.args.get("db") and self.tables[name].schema.lower() != node.db.lower()):
            message = f"no table of the query is called {shortened(node.table)!r}"
            raise Refused(message)
        return name

    def _clause(self, word: str, node: exp.Expr | None) -> str:
        if node is None:
            return ""
        _only(node, "this")
        return f"{word}{self.condition(node.this).sql}"

    def _list(self, word: str, node: exp.Expr | None, write: Callable[[exp.Expr], str]) -> str:
        if node is None:
            return ""
        _only(node, "expressions")
        return f"{word}{', '.join(map(write, node.expressions))}"

    def _ordered(self, node: exp.Expr) -> str:
        _only(node, "this", "desc", "nulls_first")  # sqlglot sets nulls_first itself; the words are refused
        return self._position(node.this) + (" DESC" if node.args.get("desc") else "")

    def _position(self, node: exp.Expr) -> str:
        """A selected value by its number or alias, or an expression."""
        if isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal():
            return str(int(node.name))
        if isinstance(node, exp.Column) and not node.table and node.name.lower() in self.aliases:
            return str(self.aliases[node.name.lower()])
        return self.term(node).sql

    def condition(self, node: exp.Expr) -> Term:
        """A term that is true or false."""
        term = self.term(node)
        return of_kind(term, Kind.TRUTH, where="a condition")

    def term(self, node: exp.Expr) -> Term:
        """Any part of an expression."""
        write = _NODES.get(type(node))
        if write is None:
            message = f"{shortened(_text(node))!r} is not part of the ADQL of this service"
            raise Refused(message)
        return write(self, node)

    def column(self, node: exp.Column) -> Term:
        """A column by its name, with or without that of its table."""
        _only(node, "this", "table", "db")
        name = node.name.lower()
        places = [self._alias(node)] if node.table else [a for a, table in self.tables.items() if name in table.by_name]
        if len(places) > 1:
            message = f"{name!r} is in several tables: {', '.join(places)}; write {places[0]}.{name}"
            raise Refused(message)
        if not places or name not in self.tables[places[0]].by_name:
            names = ", ".join(table.name for table in self.tables.values())
            message = f"there is no column {shortened(node.name)!r} in {names}"
            raise Refused(message)
        return _column_term(places[0], self.tables[places[0]].by_name[name])

    def literal(self, node: exp.Literal) -> Term:
        """A number, or a text as a parameter."""
        if not node.is_string:
            return number_term(node.name)
        if node.name not in self.texts:
            self.texts[node.name] = len(self.texts)
        return Term(_TEXT.format(self.texts[node.name]), Kind.TEXT, literal=node.name)

    def truth(self, node: exp.Boolean) -> Term:
        """TRUE or FALSE."""
        return Term("TRUE" if node.this else "FALSE", Kind.TRUTH)

    def inside(self, node: exp.Paren) -> Term:
        """Parentheses."""
        _only(node, "this")
        term = self.term(node.this)
        return term if term.place else replace(term, sql=f"({term.sql})", column=None, about=term.column or term.about)

    def negative(self, node: exp.Neg) -> Term:
        """A minus sign."""
        _only(node, "this")
        term = of_kind(self.term(node.this), *NUMBERS, where="-")
        literal = f"-{term.literal}" if term.literal is not None else None
        return Term(f"(-{term.sql})", term.kind, literal=literal)

    def arithmetic(self, node: exp.Binary) -> Term:
        """Sum, difference, product or quotient."""
        _only(node, "this", "expression", "typed", "safe")
        sign = _SIGNS[type(node)]
        left, right = (of_kind(self.term(side), *NUMBERS, where=sign) for side in (node.left, node.right))
        whole = Kind.REAL not in {left.kind, right.kind} and sign != "/"
        return Term(f"({left.sql} {sign} {right.sql})", Kind.INTEGER if whole else Kind.REAL)

    def comparison(self, node: exp.Binary) -> Term:
        """Two values compared."""
        _only(node, "this", "expression")
        left, right = alike(self.term(node.left), self.term(node.right))
        if left.place or right.place:
            message = f"{left.kind} cannot be compared; use CONTAINS or DISTANCE"
            raise Refused(message)
        if isinstance(node, exp.EQ):
            for one, other in ((left, right), (right, left)):
                if one.condition and other.literal == "1":
                    return Term(one.condition, Kind.TRUTH)
        return Term(f"({left.sql} {_SIGNS[type(node)]} {right.sql})", Kind.TRUTH)

    def between(self, node: exp.Between) -> Term:
        """BETWEEN."""
        _only(node, "this", "low", "high")
        value, low = alike(self.term(node.this), self.term(node.args["low"]))
        _, high = alike(value, self.term(node.args["high"]))
        return Term(f"({value.sql} BETWEEN {low.sql} AND {high.sql})", Kind.TRUTH)

    def among(self, node: exp.In) -> Term:
        """IN with a list of values."""
        _only(node, "this", "expressions")
        value = self.term(node.this)
        if not node.expressions:
            message = "IN takes a list of values"
            raise Refused(message)
        listed = [alike(value, self.term(one))[1] for one in node.expressions]
        return Term(f"({value.sql} IN ({', '.join(term.sql for term in listed)}))", Kind.TRUTH)

    def like(self, node: exp.Like) -> Term:
        """LIKE with a pattern."""
        _only(node, "this", "expression", "negate")
        value = of_kind(self.term(node.this), Kind.TEXT, where="LIKE")
        pattern = self.term(node.expression)
        if pattern.kind is not Kind.TEXT or pattern.literal is None:
            message = "LIKE takes a text in quotes as its pattern"
            raise Refused(message)
        wild = re.sub("%+", "%", pattern.literal).count("%")
        if wild > MOST_WILDCARDS or len(pattern.literal) > LONGEST_PATTERN:
            message = f"a pattern has at most {MOST_WILDCARDS} % and {LONGEST_PATTERN} characters"
            raise Refused(message)
        word = "NOT LIKE" if node.args.get("negate") else "LIKE"
        return Term(f"({value.sql} {word} {pattern.sql})", Kind.TRUTH)

    def known(self, node: exp.Is) -> Term:
        """IS NULL."""
        _only(node, "this", "expression", "negate")
        if not isinstance(node.expression, exp.Null):
            message = "IS takes NULL or NOT NULL"
            raise Refused(message)
        word = "IS NOT NULL" if node.args.get("negate") else "IS NULL"
        return Term(f"({self.term(node.this).sql} {word})", Kind.TRUTH)

    def opposite(self, node: exp.Not) -> Term:
        """NOT."""
        _only(node, "this")
        return Term(f"(NOT {self.condition(node.this).sql})", Kind.TRUTH)

    def joined(self, node: exp.Connector) -> Term:
        """AND or OR of any number of conditions."""
        word = " AND " if isinstance(node, exp.And) else " OR "
        return Term(f"({word.join(self.condition(part).sql for part in _flat(node, type(node)))})", Kind.TRUTH)

    def function(self, node: exp.Anonymous) -> Term:
        """A function by its name."""
        _only(node, "this", "expressions")
        name = str(node.this).upper()
        if name in AGGREGATES:
            return self._aggregate(name, node)
        if name in NAMES:
            return geometry(name, [self.term(one) for one in node.expressions])
        if name in FUNCTIONS or name in DECIMALS or name == "COALESCE":
            return function_term(name, [self.term(one) for one in node.expressions])
        known = ", ".join((*AGGREGATES, *NAMES, *FUNCTIONS, *DECIMALS, "COALESCE"))
        message = f"there is no function {shortened(name)!r}; the functions are {known}"
        raise Refused(message)

    def _aggregate(self, name: str, node: exp.Anonymous) -> Term:
        if self.aggregates:
            message = f"{name} cannot stand {self.aggregates}"
            raise Refused(message)
        arguments = node.expressions
        if name == "COUNT" and len(arguments) == 1 and isinstance(arguments[0], exp.Star):
            _only(arguments[0])
            return Term("count(*)", Kind.INTEGER)
        distinct = len(arguments) == 1 and isinstance(arguments[0], exp.Distinct)
        if distinct:
            _only(arguments[0], "expressions")
            arguments = arguments[0].expressions
        if len(arguments) != 1:
            message = f"{name} takes one value, found {len(arguments)}"
            raise Refused(message)
        self.aggregates = f"inside {name}"
        term = aggregate_term(name, self.term(arguments[0]), distinct=distinct)
        self.aggregates = ""
        return term


_SIGNS: Mapping[type[exp.Expr], str] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/",
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_NODES: Mapping[type[exp.Expr], Callable[[_Translation, Any], Term]] = {
    exp.Column: _Translation.column,
    exp.Literal: _Translation.literal,
    exp.Boolean: _Translation.truth,
    exp.Paren: _Translation.inside,
    exp.Neg: _Translation.negative,
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.Div), _Translation.arithmetic),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), _Translation.comparison),
    exp.Between: _Translation.between,
    exp.In: _Translation.among,
    exp.Like: _Translation.like,
    exp.Is: _Translation.known,
    exp.Not: _Translation.opposite,
    exp.And: _Translation.joined,
    exp.Or: _Translation.joined,
    exp.Anonymous: _Translation.function,
}


def _only(node: exp.Expr, *allowed: str) -> None:
    """Refuse a node with any part that is not listed."""
    for name, value in node.args.items():
        if value and name not in allowed:
            message = f"{shortened(_text(node))!r} is not part of the ADQL of this service"
            raise Refused(message)


def _text(node: exp.Expr) -> str:
    """A node as a refusal quotes it."""
    try:
        return node.sql(dialect=Adql)
    except (SqlglotError, RecursionError, ValueError):
        return type(node).__name__


def _flat(node: exp.Expr, kind: type[exp.Expr]) -> Iterable[exp.Expr]:
    """The parts of a chain such as a AND b AND c, from the left, without recursion."""
    parts = []
    while isinstance(node, kind):
        _only(node, "this", "expression")
        parts.append(node.args["expression"])
        node = node.this
    return [node, *reversed(parts)]


def _column_term(alias: str, column: PublishedColumn) -> Term:
    return Term(f'"{alias}"."{column.name}"', column.kind, column=column)


def _distinct(tree: exp.Select) -> bool:
    distinct = tree.args.get("distinct")
    if distinct is not None:
        _only(distinct)
    return distinct is not None


def _count(node: exp.Expr | None, word: str) -> int | None:
    if node is None:
        return None
    _only(node, "expression")
    number = node.expression
    if not isinstance(number, exp.Literal) or number.is_string or not re.fullmatch(r"\d{1,12}", number.name):
        message = f"{word} takes a whole number"
        raise Refused(message)
    return int(number.name)


def _names(items: list[tuple[str, Term]]) -> tuple[list[str], list[pa.Field]]:
    """Names of the columns of an answer, each once whatever its case, and their descriptions."""
    names: list[str] = []
    fields: list[pa.Field] = []
    used: set[str] = set()
    for place, (alias, term) in enumerate(items, start=1):
        wanted = alias or (term.column.name if term.column else f"value_{place}")
        name = wanted
        while name.lower() in used:
            name = f"{wanted}_{place}"
            wanted = name
        used.add(name.lower())
        names.append(name)
        fields.append(_field(name, term))
    return names, fields


def _field(name: str, term: Term) -> pa.Field:
    if term.column is not None:
        return term.column.arrow.with_name(name)
    about = {}
    if term.about is not None:
        about = {"unit": term.about.unit, "clock": term.about.clock}
    return pa.field(name, ARROW[term.kind], metadata={key: value for key, value in about.items() if value})
