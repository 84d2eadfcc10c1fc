"""SQL that only reads: the relations and functions that a query may use. Whatever is not listed is refused.

SQLite itself asks about everything that a statement touches (`authorizer`). PostgreSQL does not: its statements are parsed (`admit`).
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.store.migrations import VERSION_TABLE
from orchestrator.store.schema.base import Base
from orchestrator.store.schema.views import VIEWS
from workers.errors import UserError

if TYPE_CHECKING:
    from sqlglot import Expr, Token, exp

_OPTUNAS = (
    "studies study_directions study_user_attributes study_system_attributes trials trial_user_attributes trial_system_attributes "
    "trial_params trial_values trial_intermediate_values trial_heartbeats"
)
_SQLITES = "sqlite_master sqlite_schema json_each json_tree"
RELATIONS = frozenset([*Base.metadata.tables, *VIEWS, VERSION_TABLE, *_OPTUNAS.split(), *_SQLITES.split()])

_COMPUTING = """
any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every group_concat max median min mode
percentile percentile_cont percentile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
stddev stddev_pop stddev_samp string_agg sum total var_pop var_samp variance cume_dist dense_rank first_value lag last_value lead
nth_value ntile percent_rank rank row_number abs acos acosh asin asinh atan atan2 atanh cbrt ceil ceiling cos cosh cot degrees div exp
factorial floor gcd lcm ln log log10 log2 mod pi pow power radians random round sign sin sinh sqrt tan tanh trunc width_bucket ascii
bit_length btrim char char_length character_length chr concat concat_ws format hex initcap instr left length lower lpad ltrim md5
octet_length overlay position printf quote quote_ident quote_literal regexp_count regexp_like regexp_match regexp_matches regexp_replace
regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim split_part starts_with string_to_array
strpos substr substring to_char to_hex to_number translate trim unhex unicode upper age clock_timestamp current_date current_time
current_timestamp date date_bin date_part date_trunc datetime extract julianday justify_days justify_hours justify_interval localtime
localtimestamp make_date make_interval make_time make_timestamp make_timestamptz now statement_timestamp strftime time timediff timezone
to_date to_timestamp transaction_timestamp unixepoch cast coalesce exists glob greatest if ifnull iif isfinite least like likelihood
likely nullif row typeof unlikely array array_append array_cat array_length array_lower array_ndims array_position array_positions
array_prepend array_remove array_replace array_to_string array_upper cardinality generate_series generate_subscripts unnest -> ->> json
json_agg json_array json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_each
json_each_text json_error_position json_extract json_extract_path json_extract_path_text json_group_array json_group_object json_insert
json_object json_object_agg json_object_keys json_patch json_pretty json_quote json_remove json_replace json_set json_strip_nulls
json_to_record json_to_recordset json_tree json_type json_typeof json_valid row_to_json to_json jsonb jsonb_agg jsonb_array
jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
jsonb_extract jsonb_extract_path jsonb_extract_path_text jsonb_group_array jsonb_group_object jsonb_object jsonb_object_agg
jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set
jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof to_jsonb
"""
FUNCTIONS = frozenset(_COMPUTING.split())
# Words of SQL, and types that have a length.
_WORDS = """
all and any as between by cube distinct else end except filter from group having in intersect is join lateral like ilike limit
materialized not offset on or over rollup select sets similar some symmetric then to union using values when where with within zone bit
bpchar char character decimal float interval numeric time timestamp timestamptz varchar varying
"""
_BEFORE_A_PARENTHESIS = frozenset(_WORDS.split())
_SQLITE_READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE)
_RETURNED = frozenset({"key", "value", "ordinality"})  # columns of what listed functions return
_NO_QUERY = "give one SELECT, WITH or VALUES that only reads"
_EXPLAIN = re.compile(r"\s*explain\s+(?:\([^()']*\)|(?:(?:analyze|verbose)\s+)*)", re.IGNORECASE)
_PLAIN = frozenset({"STRING", "NATIONAL_STRING", "BIT_STRING", "HEX_STRING"})


def authorizer(refused: Callable[[str], None]) -> Callable[..., int]:
    """Return an authorizer for SQLite, which names the first thing that it refused. A read-only file is not enough, since other files
    could be attached, or written by VACUUM INTO."""

    def allowed(action: int, first: str | None, second: str | None, *_: Any) -> int:
        if action in _SQLITE_READS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and (first in RELATIONS or not first):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS:
            return sqlite3.SQLITE_OK
        names = {sqlite3.SQLITE_READ: _unknown_relation(first), sqlite3.SQLITE_FUNCTION: _unknown_function(second)}
        refused(names.get(action, _NO_QUERY))
        return sqlite3.SQLITE_DENY

    return allowed


def admit(statement: str) -> tuple[str, bool]:
    """Check that PostgreSQL will only read ours for this statement; return it, a query without what may follow it, and if it is an EXPLAIN.

    The tokens say which functions are called, whatever the grammar makes of them; the parsed statement says which relations are read.

    Raises:
        UserError: it is no single query, or uses what is not listed.
    """
    from sqlglot.dialects import Postgres
    from sqlglot.errors import SqlglotError

    explained = _EXPLAIN.match(statement)
    query = statement[explained.end() :] if explained else statement
    try:
        tokens = Postgres().tokenize(query)
        while tokens and tokens[-1].token_type.name == "SEMICOLON":
            tokens.pop()
        _check_words(tokens)
        parsed = [found for found in Postgres().parser().parse(tokens, query) if found is not None]
        if len(parsed) != 1:
            raise UserError(f"query: {len(parsed)} statements; give one")
        _check_tree(parsed[0], tokens)
    except SqlglotError as error:
        raise UserError(f"query: cannot be parsed: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise UserError("query: is nested too deep") from None
    return (statement, True) if explained else (query[: tokens[-1].end + 1], False)


def _check_words(tokens: "list[Token]") -> None:
    """Refuse what is no query by its first word, and forms of texts and names that are not what they look like."""
    first = next((token.text.lower() for token in tokens if token.text != "("), "")
    if first not in ("select", "with", "values", "table"):
        raise UserError(f"query: {_NO_QUERY}")
    for value, dot, field in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if value.text in (")", "]") and dot.text == "." and field.text.lower() not in ("*", *FUNCTIONS):
            raise UserError(f"query: {_unknown_field(field.text)}")
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        kind, text = token.token_type.name, token.text.lower()
        if (kind.endswith("STRING") and kind not in _PLAIN) or (text == "u" and following is not None and following.text == "&"):
            raise UserError("query: write texts as 'TEXT' and names as \"NAME\", without E, U& or $")
        if kind not in _PLAIN and text.startswith(("pg_", "information_schema")):
            called = following is not None and following.token_type.name == "L_PAREN"
            raise UserError(f"query: {(_unknown_function if called else _unknown_relation)(token.text)}")


def _check_tree(query: "Expr", tokens: "list[Token]") -> None:
    from sqlglot import exp

    if not isinstance(query, exp.Query | exp.Values) or query.find(exp.DML, exp.DDL, exp.Into, exp.Lock, exp.Command):
        raise UserError(f"query: {_NO_QUERY}")
    for table in query.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not (_is_ours(table) or _is_of_the_statement(table)):
            raise UserError(f"query: {_unknown_relation(table.sql('postgres', comments=False))}")
    for column in query.find_all(exp.Column):
        if not isinstance(column.this, exp.Star) and (of := column.args.get("table")) and not _is_column(column, _folded(of)):
            known = {_name_of(source) for select in query.find_all(exp.Select) for source in _sources(select)}
            unknown = f"{of.name}.{column.name}: neither a setting nor a column of a table of this query"
            raise UserError(f"query: {_unknown_field(column.name) if _folded(of) in known else unknown}")
    with_columns = Counter(_folded(found.this) for found in query.find_all(exp.TableAlias) if found.columns)
    for name, times in Counter(_called(tokens)).items():
        if times > with_columns[name]:  # the others are names of tables with names of their columns: `WITH t (a, b) AS`
            raise UserError(f"query: {_unknown_function(name)}")


def _is_column(column: "exp.Column", of: str) -> bool:
    """Return whether `of.column` calls nothing but listed functions: what a function in FROM returns is a value, whose field is one."""
    from sqlglot import exp

    field, select = _folded(column.this), column.parent_select
    while select is not None:
        for source in _sources(select):
            if of == _name_of(source):
                alias = source.args.get("alias")
                rows = isinstance(source, exp.Subquery | exp.Values) or isinstance(source.this, exp.Identifier | exp.Subquery)
                named = [_folded(found) for found in alias.find_all(exp.Identifier)] if alias else []
                return rows or field in (*FUNCTIONS, *_RETURNED, *named)
        select = select.parent_select
    return field in FUNCTIONS


def _name_of(source: "Expr") -> str:
    return _folded((source.args.get("alias") or source).this)


def _sources(select: "exp.Select") -> Iterator["Expr"]:
    """The tables, functions and queries in a SELECT's own FROM that have names."""
    from sqlglot import exp

    clauses = (select.args.get("from_"), *(select.args.get("joins") or ()), *(select.args.get("laterals") or ()))
    for found in (found for clause in clauses if clause for found in clause.find_all(exp.Table, exp.UDTF, exp.Subquery)):
        if found.parent_select is select and (found.args.get("alias") or isinstance(found.this, exp.Identifier)):
            yield found


def _is_of_the_statement(table: "exp.Table") -> bool:
    """Return whether the name is that of a table that a WITH defines where it is read: before it, unless it is RECURSIVE."""
    around = table.parent
    while around is not None and not table.db:
        if (defined := around.args.get("with_")) is not None:
            names = [_folded(found.args["alias"].this) for found in defined.expressions]
            inside = next((place for place, found in enumerate(defined.expressions) if _is_within(table, found)), len(names))
            if _folded(table.this) in (names if defined.args.get("recursive") else names[:inside]):
                return True
        around = around.parent
    return False


def _is_within(found: "Expr | None", node: "Expr") -> bool:
    while found is not None and found is not node:
        found = found.parent
    return found is not None


def _folded(name: "Expr") -> str:
    """Return a name as PostgreSQL understands it: unless it is quoted, in small letters."""
    text: str = name.name
    return text if name.args.get("quoted") else text.lower()


def _is_ours(table: "exp.Table") -> bool:
    name = _folded(table.this)
    return name in RELATIONS and table.db.lower() in ("", "public") and not table.catalog


def _called(tokens: "list[Token]") -> Iterator[str]:
    """The names before a parenthesis that are neither functions nor words of the list, as PostgreSQL understands them."""
    for before, token, following in zip([None, *tokens], tokens, tokens[1:], strict=False):
        quoted = token.token_type.name == "IDENTIFIER"
        name = token.text if quoted else token.text.lower()
        if following.token_type.name != "L_PAREN" or not (quoted or name[:1].isidentifier()):
            continue
        known = name in FUNCTIONS or (not quoted and name.split()[-1] in _BEFORE_A_PARENTHESIS)
        if not known or (before is not None and before.text == "."):
            yield name


def _unknown_relation(name: str | None) -> str:
    return f"{name}: no table of robustsweep's; ask {', '.join(VIEWS)}"


def _unknown_function(name: str | None) -> str:
    return f"{name}: is not among the functions that only compute"


def _unknown_field(name: str) -> str:
    return f"{_unknown_function(name)} (PostgreSQL takes the field of a value for one)"
