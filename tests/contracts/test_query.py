"""Queries in SQL only read, and end, on both databases."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from orchestrator.api.results import Results
from orchestrator.store import Store, open_store
from orchestrator.store.connection import bounded_answers, read_only_sql
from orchestrator.store.connection.read_only_sql import NamedRows, ask
from orchestrator.tables.table import table_of
from orchestrator.tables.writers import render
from tests.commands import environment
from workers.errors import UserError

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"

HOSTILE = r"""
COPY jobs TO PROGRAM 'touch {mark}'
copy/**/jobs to program 'touch {mark}'
COPY jobs TO '{mark}'
COPY (SELECT 1) TO '{mark}'
COPY jobs FROM PROGRAM 'touch {mark}'
DO $$ BEGIN PERFORM pg_sleep(0); END $$
LOAD 'auto_explain'
LOCK TABLE jobs
LOCK TABLE jobs IN ACCESS SHARE MODE
SET statement_timeout = 0
SET ROLE postgres
RESET ROLE
SHOW data_directory
LISTEN x
NOTIFY x
CHECKPOINT
VACUUM
VACUUM INTO '{mark}'
ATTACH DATABASE '{mark}' AS other
ATTACH '{mark}' AS other
DETACH main
PRAGMA query_only = OFF
PRAGMA writable_schema = 1
REINDEX
ANALYZE
BEGIN
COMMIT
ROLLBACK
SAVEPOINT x
PREPARE x AS SELECT 1
EXECUTE x
CALL x()
DECLARE x CURSOR FOR SELECT 1
CREATE TABLE mine (x INTEGER)
CREATE TEMP TABLE mine AS SELECT * FROM jobs
CREATE VIEW mine AS SELECT 1
CREATE FUNCTION f() RETURNS int AS 'SELECT 1' LANGUAGE sql
DROP VIEW v_jobs
ALTER TABLE jobs ADD x INTEGER
TRUNCATE jobs
GRANT ALL ON jobs TO PUBLIC
INSERT INTO sweeps (name) VALUES ('x')
INSERT INTO jobs SELECT * FROM jobs
UPDATE jobs SET state = 'done'
DELETE FROM jobs
MERGE INTO jobs USING jobs AS j ON false WHEN MATCHED THEN DELETE
REPLACE INTO sweeps (name) VALUES ('x')
EXPLAIN ANALYZE DELETE FROM jobs
EXPLAIN (ANALYZE) UPDATE jobs SET state = 'done'
EXPLAIN ANALYZE VERBOSE INSERT INTO jobs SELECT * FROM jobs
EXPLAIN COPY jobs TO PROGRAM 'touch {mark}'
SELECT * INTO mine FROM jobs
SELECT * INTO TEMP mine FROM jobs
SELECT * FROM jobs FOR UPDATE
SELECT * FROM jobs FOR NO KEY UPDATE SKIP LOCKED
SELECT * FROM jobs FOR SHARE
SELECT * FROM (SELECT * FROM jobs FOR KEY SHARE) AS x
WITH x AS (DELETE FROM jobs RETURNING *) SELECT * FROM x
WITH x AS (INSERT INTO sweeps (name) VALUES ('x') RETURNING *) SELECT * FROM x
WITH x AS (SELECT 1) DELETE FROM jobs
SELECT 1; SELECT 2
SELECT 1; DELETE FROM jobs
SELECT 1;; COMMIT; DELETE FROM jobs
SELECT pg_sleep(60)
SELECT PG_SLEEP(60)
SELECT "pg_sleep"(60)
SELECT pg_sleep /* a /* nested */ comment */ (60)
SELECT pg_catalog.pg_sleep(60)
SELECT pg_catalog . "pg_sleep" (60)
SELECT U&"\0070g_sleep"(60)
SELECT U&"!0070g_sleep" UESCAPE '!' (60)
SELECT 1 AS a$b$, pg_sleep(60) AS a$b$
SELECT $a$ $a$ || pg_read_file('/etc/passwd') || $a$ $a$
SELECT E'\'' || pg_read_file('/etc/passwd') || E'\''
SELECT pg_read_file('/etc/passwd')
SELECT lower(pg_read_file('/etc/passwd'))
SELECT pg_read_binary_file('/etc/passwd')
SELECT pg_ls_dir('/')
SELECT * FROM pg_ls_dir('/') AS files
SELECT * FROM jobs, LATERAL pg_ls_dir('/') AS files
SELECT * FROM ROWS FROM (pg_ls_dir('/'), generate_series(1, 2)) AS x
SELECT (SELECT pg_stat_file('/etc/passwd'))
WITH x AS (SELECT pg_ls_waldir()) SELECT * FROM x
SELECT * FROM jobs WHERE key IN (SELECT pg_read_file('/etc/passwd'))
SELECT 1 ORDER BY pg_read_file('/etc/passwd')
SELECT count(*) FILTER (WHERE pg_sleep(60) IS NULL) FROM jobs
SELECT CASE WHEN true THEN pg_read_file('/etc/passwd') END
SELECT sum(1) OVER (ORDER BY pg_read_file('/etc/passwd')) FROM jobs
VALUES (pg_read_file('/etc/passwd'))
SELECT 1 UNION SELECT length(pg_read_file('/etc/passwd'))
EXPLAIN ANALYZE SELECT pg_sleep(60)
WITH pg_sleep(a) AS (SELECT 1) SELECT pg_sleep(60) FROM pg_sleep
WITH dblink(a) AS (SELECT 1) SELECT dblink('x') FROM dblink
SELECT 1 -- a comment{return}, pg_sleep(60)
SELECT lo_import('/etc/passwd')
SELECT lo_export(1, '{mark}')
SELECT lo_create(0)
SELECT lo_unlink(1)
SELECT dblink_connect('dbname=postgres')
SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS x(a int)
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
SELECT pg_cancel_backend(1)
SELECT pg_reload_conf()
SELECT pg_switch_wal()
SELECT pg_create_restore_point('x')
SELECT pg_logical_emit_message(false, 'a', 'b')
SELECT pg_advisory_lock(1)
SELECT pg_notify('a', 'b')
SELECT pg_export_snapshot()
SELECT set_config('role', 'postgres', true)
SELECT current_setting('data_directory')
SELECT nextval('sweeps_id_seq')
SELECT setval('sweeps_id_seq', 1)
SELECT txid_current()
SELECT query_to_xml('SELECT 1', true, true, '')
SELECT table_to_xml('jobs', true, true, '')
SELECT xpath('/', '<a/>')
SELECT inet_server_addr()
SELECT has_table_privilege('jobs', 'select')
SELECT 1 OPERATOR(pg_catalog.+) 2
SELECT public.lower('x')
SELECT * FROM pg_shadow
SELECT * FROM pg_catalog.pg_authid
SELECT * FROM "pg_authid"
TABLE pg_authid
SELECT * FROM pg_hba_file_rules
SELECT * FROM information_schema.tables
WITH pg_shadow AS (SELECT * FROM pg_shadow) SELECT * FROM pg_shadow
SELECT * FROM other.public.jobs
SELECT * FROM secrets
SELECT load_extension('x')
SELECT LOAD_EXTENSION('x', 'y')
SELECT "load_extension"('x')
SELECT load_extension/**/('x')
SELECT readfile('/etc/passwd')
SELECT writefile('{mark}', 'x')
SELECT edit('x')
SELECT fts3_tokenizer('x', x'00')
SELECT fts5(1)
SELECT sqlite_compileoption_get(1)
SELECT changes()
SELECT last_insert_rowid()
SELECT * FROM pragma_database_list
SELECT * FROM pragma_table_info('jobs')
SELECT * FROM sqlite_dbpage
SELECT * FROM dbstat
SELECT * FROM fsdir('/')
SELECT zeroblob(1000000000)
EXPLAIN
SELECT
;
--
/*
'
(
SELEKT 1
SELECT '
SELECT 1 FROM jobs WHERE key = ?
SELECT nosuch(1)
SELECT * FROM nowhere
""".strip("\n").split("\n")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url, upgrade=True) as made, made.writing() as connection:
        connection.execute(text("CREATE TABLE secrets (word TEXT)"))
    with open_store(url, upgrade=False) as opened:
        yield opened


@pytest.fixture
def on_postgresql(postgres_url: str) -> Iterator[Store]:
    open_store(postgres_url, upgrade=True).close()
    with open_store(postgres_url, upgrade=False) as opened:
        yield opened


def refusal(store: Store, statement: str, **options: float) -> str | None:
    """What is said, on one line; None where the statement is answered."""
    try:
        ask(store, statement, **{"timeout": 5.0} | options)
    except UserError as error:
        return str(error)
    return None


def test_whatever_does_more_than_read_is_refused_in_one_line(store: Store, tmp_path: Path) -> None:
    mark = tmp_path / "written"
    said = {hostile: refusal(store, hostile.replace("{mark}", str(mark)).replace("{return}", "\r")) for hostile in HOSTILE}
    harmless = ("EXPLAIN", "!0070g_sleep")  # nothing to explain; on SQLite U is a column
    answered = [statement for statement, message in said.items() if message is None and not any(map(statement.endswith, harmless))]
    assert answered == []
    assert all(message is None or (message.startswith("query: ") and "\n" not in message) for message in said.values())
    assert not [statement for statement, message in said.items() if message and "stopped after" in message]
    assert not mark.exists()
    assert len(HOSTILE) > 150


PORTABLE = """
SELECT 1
select 1;
SELECT 'a; -- b' || "name" FROM sweeps -- c
SELECT 1 /* pg_sleep(1) */
SELECT ';', 'é"' -- ; (
SELECT 1; /* ) */
SELECT 1 AS n, 2 AS n, 3 AS "answer", 4 AS "query"
SELECT 1 WHERE 1 = 2
VALUES (1, 'a'), (2, NULL)
SELECT count(*), count(DISTINCT j.state), avg(attempts), min(k.key) FROM v_jobs AS j JOIN jobs AS k ON k.key = j.job_key
SELECT theta, avg(robust_accuracy) FROM v_results WHERE attack = 'pgd' GROUP BY theta HAVING count(*) > 1 ORDER BY 1 DESC LIMIT 3 OFFSET 1
WITH a (x, y) AS (SELECT 1, 2), b AS (SELECT x + y AS z FROM a) SELECT * FROM b JOIN a ON z > x
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n
SELECT 1 UNION SELECT 2 UNION ALL SELECT 3 EXCEPT SELECT 1
SELECT * FROM (SELECT 1 AS a UNION SELECT 2) AS t WHERE a IN (1, 2) AND NOT (a IN (3)) AND EXISTS (SELECT 1)
SELECT row_number() OVER (PARTITION BY stage ORDER BY key), lag(key, 1) OVER w FROM jobs WINDOW w AS (ORDER BY key)
SELECT sum(1) FILTER (WHERE state = 'done') FROM jobs
SELECT CASE WHEN (theta) > (0.5) THEN (1) ELSE (2) END, CAST(theta AS numeric(10, 2)) FROM v_models
SELECT coalesce(NULL, nullif(1, 2)), abs(-1), round(1.5), length(upper('a')), substr('abc', 2), replace('a', 'a', 'b'), trim(' a ')
SELECT model LIKE 'res%' AND theta BETWEEN (0) AND (1) FROM v_models
SELECT sweep, "theta" FROM v_results AS "R" WHERE "R"."attack" IS NOT NULL
SELECT * FROM V_RESULTS CROSS JOIN v_models
SELECT 1 AS "left", 2 AS "pg"
SELECT current_timestamp
EXPLAIN SELECT * FROM v_results
""".strip().split("\n")
POSTGRESQLS = """
SELECT count(*) FILTER (WHERE theta > 0.5), percentile_cont(0.5) WITHIN GROUP (ORDER BY theta) FROM v_models
SELECT DISTINCT ON (stage) stage, key FROM jobs ORDER BY stage, key
SELECT spec::json->>'stage', spec::jsonb #>> '{data,name}', jsonb_typeof(spec::jsonb) FROM v_jobs
SELECT x.key, x.value FROM v_jobs, LATERAL json_each_text(spec::json) AS x
SELECT * FROM json_to_record('{"a": 1}') AS x(a int)
SELECT string_agg(stage, ', ' ORDER BY stage), array_agg(DISTINCT stage) FROM jobs
SELECT date_trunc('day', finished_at), extract(epoch FROM finished_at), finished_at AT TIME ZONE 'UTC' FROM v_models
SELECT g, now() - interval '1 day' * g FROM generate_series(1, 3) AS g
SELECT stage, theta, count(*) FROM v_models GROUP BY ROLLUP (stage, theta)
SELECT stage, theta, count(*) FROM v_models GROUP BY GROUPING SETS ((stage), (theta), ())
SELECT ARRAY[1, 2] || 3, ARRAY(SELECT 1), (ARRAY[1, 2])[1], 1 = ANY(ARRAY[1])
SELECT model ~ '^res', model !~* 'x', model ILIKE 'R%', regexp_replace(model, 'a', 'b') FROM v_models
SELECT stddev_samp(theta), corr(theta, seed), width_bucket(0.5, 0, 1, 10), mode() WITHIN GROUP (ORDER BY theta) FROM v_models
SELECT first_value(key) OVER (ORDER BY key ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM jobs
SELECT * FROM public.v_results AS r FULL JOIN v_models USING (model_key)
WITH a AS MATERIALIZED (SELECT 1 AS x), b AS NOT MATERIALIZED (SELECT 2 AS y) SELECT * FROM a, b
SELECT to_char(1.5, '9D9'), format('%s', 1), split_part('a,b', ',', 1), concat_ws(',', 1, 2), 7 % 2, 2 ^ 3, 5 / 2
TABLE v_jobs
SELECT a FROM (SELECT 1 UNION SELECT 2) AS t(a)
(SELECT 1) UNION (SELECT 2) ORDER BY 1
EXPLAIN (ANALYZE, COSTS off) SELECT 1
SELECT 1 /* pg_sleep(1) /* nested */ */
EXPLAIN ANALYZE VERBOSE WITH a AS (SELECT 1) SELECT * FROM a
""".strip().split("\n")
SQLITES = """
SELECT json_extract(spec, '$.stage'), spec ->> 'stage' FROM v_jobs
SELECT key, value FROM v_jobs, json_each(spec)
SELECT group_concat(stage, ','), total(1), datetime('now'), strftime('%Y', 'now'), julianday('now'), ifnull(1, 2), iif(1, 2, 3) FROM jobs
SELECT typeof(1), printf('%d', 1), hex('a'), instr('a', 'a'), key GLOB 'a*' FROM jobs
SELECT name FROM sqlite_schema
EXPLAIN QUERY PLAN SELECT * FROM v_results
""".strip().split("\n")


def test_what_only_reads_is_answered_as_by_the_database_itself(store: Store) -> None:
    name = store.engine.dialect.name
    for statement in PORTABLE + (POSTGRESQLS if name == "postgresql" else SQLITES):
        answer = ask(store, statement)
        with store.reading() as connection:
            plain = connection.connection.driver_connection.execute(statement)  # type: ignore[union-attr]
            names = [column[0] for column in plain.description]
            assert len(answer.columns) == len(names)
            if not statement.startswith("EXPLAIN") and "now" not in statement and "current_timestamp" not in statement:
                assert sorted(map(repr, answer.rows)) == sorted(repr(tuple(row)) for row in plain)


def test_an_endless_statement_is_stopped_in_time_or_for_its_rows(store: Store) -> None:
    assert refusal(store, ENDLESS.format("max(i)"), timeout=0.3) == "query: stopped after 0.3 s (--timeout)"
    ends = ("query: stopped after 2 s (--timeout)", "query: more than 1,000,000 rows; add a LIMIT, or aggregate")
    assert refusal(store, ENDLESS.format("i"), timeout=2) in ends
    assert ask(store, "SELECT 1").rows == ((1,),)
    for timeout in (0, -1, float("nan"), float("inf"), 1e300):
        assert "must be more than 0" in str(refusal(store, "SELECT 1", timeout=timeout))


MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT i, {} FROM n"


def test_an_answer_that_memory_may_not_hold_is_stopped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_answers, "MOST_MEMORY", 50_000_000)
    too_much = "query: its answer takes more than 50 MB of memory; add a LIMIT, or aggregate"
    long = f"replace('{' ' * 10}', ' ', '{'x' * 1000}')"
    assert refusal(store, MANY.format(100, long), timeout=60) is None
    assert refusal(store, MANY.format(40_000, long), timeout=60) == too_much
    assert refusal(store, MANY.format(400_000, ", ".join(f"i + {number}.5" for number in range(20))), timeout=60) == too_much
    assert ask(store, "SELECT 1").rows == ((1,),)


def test_postgresql_sends_no_value_that_would_be_taken_whole(on_postgresql: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_only_sql, "_LONGEST_ROW", 100_000)
    for value in (
        "array_agg(g)",
        "repeat(max('x'), max(g)::int * 10)",
        "json_agg(g)",
        "string_agg(g::text, ',')",
        "jsonb_object_agg(g, ARRAY[g])",
        "ROW(1, array_agg(g))",
    ):
        asked = f"SELECT {value} FROM generate_series(1, {{}}) AS g"
        assert refusal(on_postgresql, asked.format(100)) is None
        assert refusal(on_postgresql, asked.format(40_000), timeout=60) == "query: a row of more than 0.1 MB; ask for less of it"
    monkeypatch.setattr(bounded_answers, "MOST_MEMORY", 50_000_000)
    plan = "EXPLAIN VERBOSE SELECT repeat('x', 200000000)"  # no part of which the server can refuse
    assert refusal(on_postgresql, plan, timeout=60) == "query: its answer takes more than 50 MB of memory; add a LIMIT, or aggregate"
    assert ask(on_postgresql, "SELECT 1").rows == ((1,),)


def test_a_server_that_does_not_hear_is_left_in_time(on_postgresql: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[int] = []

    def streamed(driver: Any, query: str, made: Callable[[Any, str], NamedRows] = read_only_sql._streamed) -> NamedRows:
        frozen.append(driver.info.backend_pid)
        os.kill(frozen[0], signal.SIGSTOP)
        return made(driver, query)

    with monkeypatch.context() as patch:
        patch.setattr(read_only_sql, "_streamed", streamed)
        try:
            assert refusal(on_postgresql, "SELECT 1", timeout=0.5) == "query: stopped after 0.5 s (--timeout)"
        finally:
            os.kill(frozen[0], signal.SIGCONT)
    assert ask(on_postgresql, "SELECT 1").rows == ((1,),)


def test_columns_of_one_name_are_told_apart_and_json_has_no_infinity(store: Store) -> None:
    infinite = "9e999" if store.engine.dialect.name == "sqlite" else "CAST('infinity' AS float)"
    answer = ask(store, f"SELECT 1 AS n, 2 AS n_2, 3 AS n, 4 AS n, {infinite} AS i, -{infinite} AS j")
    (found,) = json.loads(str(render(table_of(answer.columns, answer.rows), "json")), parse_constant=pytest.fail)
    assert found == {"n": 1, "n_2": 2, "n_3": 3, "n_4": 4, "i": "Infinity", "j": "-Infinity"}
    if store.engine.dialect.name == "postgresql":
        answer = ask(store, "SELECT avg(x) AS mean, CAST('NaN' AS numeric) AS n FROM (VALUES (1), (2)) AS t(x)")
        assert json.loads(str(render(table_of(answer.columns, answer.rows), "json"))) == [{"mean": 1.5, "n": "NaN"}]


def as_user(url: str, name: str) -> str:
    return make_url(url).set(username=name, password=None).render_as_string(hide_password=False)


def test_a_superuser_asks_as_one_who_reads_and_who_may_run_programs_must_insist(postgres_url: str) -> None:
    open_store(postgres_url, upgrade=True).close()
    names = ("owner", "mighty", "reader")
    admin = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    roles = (
        "pg_write_all_data, pg_read_all_data",
        "pg_execute_server_program, pg_read_all_data",
        "pg_read_all_data",
    )
    try:
        with admin.connect() as connection:
            for name, granted in zip(names, roles, strict=True):
                connection.execute(text(f"CREATE ROLE {name} LOGIN IN ROLE {granted}"))
        with open_store(postgres_url, upgrade=False) as store:
            assert ask(store, "SELECT current_user, count(*) FROM v_jobs").rows == (("pg_read_all_data", 0),)
        for name in ("owner", "reader"):
            with open_store(as_user(postgres_url, name), upgrade=False) as store:
                assert ask(store, "SELECT current_user").rows == ((name,),)
        with open_store(as_user(postgres_url, "mighty"), upgrade=False) as store:
            assert "(pg_execute_server_program); `CREATE ROLE reader LOGIN IN ROLE pg_read_all_data`" in str(refusal(store, "SELECT 1"))
            assert "only compute" in str(refusal(store, "SELECT pg_sleep(1)", force=True))
            assert Results(store).query("SELECT 1 AS n", force=True).to_dict("list") == {"n": [1]}
    finally:
        with admin.connect() as connection:
            for name in names:
                connection.execute(text(f"DROP ROLE IF EXISTS {name}"))
        admin.dispose()


INTERRUPTED = """
import _thread, sys
from orchestrator.store.connection import bounded_answers, read_only_sql
MOMENT
from orchestrator.cli.main import main
main()
"""
MOMENTS = {
    "while its thread starts": """
class Thread(bounded_answers.Thread):
    def start(self):
        super().start()
        _thread.interrupt_main()
bounded_answers.Thread = Thread
""",
    "as it begins": """
def authorizer(refused, made=read_only_sql.authorizer):
    _thread.interrupt_main()
    return made(refused)
read_only_sql.authorizer = authorizer
""",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_ends_an_endless_statement(moment: str, tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=True).close()
    code = INTERRUPTED.replace("MOMENT", MOMENTS[moment])
    asked = [sys.executable, "-c", code, "query", ENDLESS.format("max(i)"), "--timeout", "3600"]
    done = subprocess.run(asked, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
