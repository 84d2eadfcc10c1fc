"""What PostgreSQL would understand by a statement decides about it, before any is asked."""

import pytest

from orchestrator.store.connection.admitted_sql import admit
from workers.errors import UserError

HIDDEN = r"""
SELECT lo_import('x') FROM (VALUES (1)) "LO_IMPORT" (a)
SELECT "Evil"(1) FROM (VALUES (1)) evil (a)
SELECT evil(1) FROM (VALUES (1)) evil (a)
WITH "LO_GET" (a) AS (SELECT 1) SELECT lo_get(1) FROM "LO_GET"
SELECT ('/etc/passwd'::text).lo_import
SELECT (1).lo_unlink
SELECT (array['delete from jobs'])[1].ts_stat
SELECT ('x') . "ts_stat"
WITH secret AS (SELECT * FROM secret) SELECT * FROM secret
WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a
SELECT (SELECT a FROM secret) FROM (WITH secret AS (SELECT 1 a) SELECT * FROM secret) q
WITH "Secret" AS (SELECT 1) SELECT * FROM secret
WITH secret AS (SELECT 1) SELECT * FROM "Secret"
WITH q AS (WITH secret AS (SELECT 1) SELECT * FROM secret) SELECT * FROM secret
WITH secret AS (SELECT 1) SELECT * FROM public.secret
SELECT q.lo_import FROM lower('/etc/passwd') q
SELECT Q."lo_import" FROM jobs JOIN LATERAL lower('x') AS q ON q.lo_import = 1
SELECT lower.lo_import FROM lower('x') WHERE EXISTS (SELECT 1 FROM v_jobs lower)
SELECT text.lo_import FROM CAST('x' AS text), (SELECT 1 FROM v_jobs text) z
SELECT q.lo_import FROM lower('x') q, (SELECT 1) z (lo_import)
SELECT (SELECT q.ts_stat) FROM ROWS FROM (lower('x')) q
SELECT u.lo_unlink FROM unnest(ARRAY[1]) u
SELECT * FROM secret UNION WITH secret AS (SELECT 1) SELECT * FROM secret
""".strip().splitlines()
PLAIN = r"""
WITH t (a, b) AS (VALUES (1, 2)) SELECT a FROM t
SELECT * FROM (VALUES (1)) AS "T" (a)
WITH a AS (SELECT * FROM jobs), b AS (SELECT * FROM a) SELECT * FROM b JOIN a ON true
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM t WHERE n<5) SELECT * FROM t
WITH a AS (SELECT 1 x) SELECT (SELECT max(x) FROM a), q.x FROM (SELECT * FROM a) q WHERE EXISTS (SELECT 1 FROM a)
WITH a AS (SELECT 1 x) SELECT * FROM a UNION ALL SELECT * FROM a
WITH "A" AS (SELECT 1) SELECT * FROM "A"
WITH A AS (SELECT 1) SELECT * FROM a
SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) q
WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) SELECT * FROM a
SELECT (jobs).* FROM jobs
(WITH a AS (SELECT 1) SELECT * FROM a)
WITH a AS MATERIALIZED (SELECT 1) SELECT * FROM a LEFT JOIN LATERAL (SELECT * FROM a) z ON true
SELECT v.theta FROM v_models v
SELECT ('a'::text).upper
SELECT g.g, n.m, v_jobs.stage FROM generate_series(1, 3) AS g, generate_series(1, 3) AS n (m), v_jobs
SELECT x.key, x.value, y.a, q.upper FROM v_jobs v, LATERAL json_each_text(v.spec::json) x, json_to_record('{}') AS y(a int), lower('x') q
SELECT a.key, z.k FROM (jobs a CROSS JOIN jobs b) JOIN LATERAL (SELECT a.key AS k) z ON z.k = b.key
""".strip().splitlines()


@pytest.mark.parametrize("statement", HIDDEN)
def test_functions_and_tables_behind_other_names_are_refused(statement: str) -> None:
    with pytest.raises(UserError, match=r"is not among the functions that only compute|no table of robustsweep's"):
        admit(statement)


@pytest.mark.parametrize("statement", PLAIN)
def test_names_that_the_statement_itself_gives_are_admitted_where_they_hold(statement: str) -> None:
    assert admit(statement) == (statement, False)
