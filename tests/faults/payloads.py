"""Attempts to make ``query`` do more than read the index: write, read elsewhere, reach the network, take everything.

``python payloads.py ARCHIVE`` tries them all, as the command does, and prints what came of each, a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from process_memory import memory_kib

SECONDS = 1.0

#: Must be refused. {file}: a secret beside the archive; {out}: a file to write; {root}: the archive.
FORBIDDEN = (
    # writing
    "COPY (SELECT 1) TO '{out}'",
    "COPY images TO '{out}' (FORMAT csv)",
    "COPY images TO '{out}' (FORMAT parquet, PARTITION_BY (method))",
    "COPY images TO '/dev/stdout'",
    "COPY images FROM PROGRAM 'id'",
    "COPY (SELECT * FROM images) TO '{root}/users.json'",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{out}'",
    "CREATE TABLE stolen AS SELECT * FROM images",
    "CREATE TEMP TABLE stolen AS SELECT 1",
    "CREATE MACRO f(x) AS x",
    "CREATE SECRET s (TYPE s3)",
    "CREATE TYPE mood AS ENUM ('a')",
    "CREATE SCHEMA other",
    "CREATE SEQUENCE s",
    "CREATE OR REPLACE VIEW images AS SELECT 1",
    "ALTER TABLE images RENAME TO gone",
    "DROP TABLE images",
    "DROP VIEW IF EXISTS images",
    "DROP SCHEMA main CASCADE",
    "TRUNCATE images",
    "INSERT INTO images VALUES (1)",
    "INSERT OR REPLACE INTO images SELECT * FROM images",
    "UPDATE images SET hidden = false",
    "DELETE FROM images WHERE true",
    "MERGE INTO images USING images AS i ON true WHEN MATCHED THEN DELETE",
    "WITH x AS (INSERT INTO images SELECT * FROM images RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE images SET hidden = false RETURNING *) SELECT * FROM x",
    # other databases, extensions, the network
    "ATTACH '{file}' AS other",
    "ATTACH '{root}/requests.sqlite' AS journal (TYPE sqlite)",
    "ATTACH 'host=localhost' AS pg (TYPE postgres)",
    "ATTACH 'https://127.0.0.1:1/x.duckdb'",
    "DETACH model",
    "USE model",
    "INSTALL httpfs",
    "INSTALL sqlite FROM community",
    "FORCE INSTALL spatial",
    "LOAD 'sqlite'",
    "LOAD '{file}'",
    "UPDATE EXTENSIONS",
    "SELECT * FROM 'https://127.0.0.1:1/x.parquet'",
    "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "SELECT * FROM read_csv('http://127.0.0.1:1/')",
    "SELECT * FROM sqlite_scan('{root}/requests.sqlite', 'requests')",
    "SELECT * FROM postgres_scan('host=localhost', 'public', 'x')",
    "SELECT * FROM st_read('{file}')",
    # reading elsewhere
    "SELECT * FROM '{file}'",
    'SELECT * FROM "{file}"',
    "FROM '{file}'",
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_csv_auto('{file}')",
    "SELECT * FROM read_csv(['{file}', '/etc/passwd'])",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_blob('{file}')",
    "SELECT * FROM read_json('{file}')",
    "SELECT * FROM read_json_auto('{file}')",
    "SELECT * FROM read_ndjson_objects('{file}')",
    "SELECT * FROM read_parquet('{file}')",
    "SELECT * FROM parquet_scan('{file}')",
    "SELECT * FROM parquet_metadata('{file}')",
    "SELECT * FROM parquet_schema('{file}')",
    "SELECT * FROM parquet_kv_metadata('{file}')",
    "SELECT * FROM parquet_file_metadata('{file}')",
    "SELECT * FROM parquet_bloom_probe('{file}', 'x', 1)",
    "SELECT * FROM sniff_csv('{file}')",
    "SELECT * FROM glob('{root}/*')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_text('{root}/users.json')",
    "SELECT * FROM read_text('{root}/config.toml')",
    "SELECT * FROM read_blob('{root}/requests.sqlite')",
    "SELECT * FROM read_text('{root}/index/schema.json')",
    "SELECT * FROM read_text('{root}/index/images/../schema.json')",
    "SELECT * FROM read_text('{root}/index/lightcurves/../../users.json')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_text('/proc/self/cmdline')",
    "SELECT * FROM read_text('file://{file}')",
    "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
    "SELECT * FROM query_table('{file}')",
    "SELECT (SELECT content FROM read_text('{file}'))",
    "WITH x AS (SELECT * FROM read_text('{file}')) SELECT * FROM x",
    "SELECT * FROM images, LATERAL (SELECT * FROM read_text('{file}'))",
    "SELECT getenv('HOME')",
    "SELECT * FROM json_execute_serialized_sql('{{}}')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM FORBIDDEN",  # DuckDB would look for Python variables of that name
    "SELECT * FROM pandas_scan(140000000)",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    # settings
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET memory_limit = '100GB'",
    "SET GLOBAL temp_directory = '/tmp'",
    "SET SESSION threads = 64",
    "SET allowed_directories = ['/']",
    "RESET ALL",
    "PRAGMA enable_external_access",
    "PRAGMA database_list",
    "PRAGMA add_parquet_key('x', '0123456789112345')",
    "PRAGMA enable_profiling = 'json'",
    "PRAGMA profiling_output = '{out}'",
    "CALL enable_logging()",
    "CALL force_checkpoint()",
    # several statements, none, half of one
    "SELECT 1; DROP VIEW images",
    "SELECT 1;; COPY images TO '{out}'",
    "SELECT 1; -- \nATTACH '{file}'",
    "BEGIN; SELECT 1",
    "COMMIT",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "EXPLAIN ANALYZE SELECT 1",
    "SET VARIABLE x = 1",
    "",
    ";",
    "/*",
    "SELECT '",
    "\x00",
    "SELECT * FROM force_checkpoint()",
)

#: May be answered: they read nothing but what everybody may know.
HARMLESS = (
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM pragma_version()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM test_all_types()",
    "SELECT current_setting('allowed_paths')",
    "SHOW TABLES",
    "DESCRIBE images",
    "VALUES (1)",
    "(" * 5000 + "SELECT 1" + ")" * 5000,
    "SELECT regexp_matches(repeat('a', 3000000), '(a*)*b')",
    "SELECT * FROM query('SELECT 42')",
    "SELECT uid FROM images WHERE uid = '1'' OR ''1'' = ''1'",
)

#: Must end soon, refused or stopped, whatever they ask for.
HEAVY = (
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "WITH RECURSIVE t(n) AS (SELECT [1] UNION ALL SELECT list_concat(n, n) FROM t) SELECT max(len(n)) FROM t",
    "SELECT * FROM range(100000000000)",
    "SELECT repeat('x', 2000000000)",
    "SELECT list(range) FROM range(1000000000)",
    "SELECT string_agg(range::VARCHAR, ',') FROM range(1000000000)",
    "SELECT count(*) FROM range(1000000) a, range(1000000) b",
    "SELECT a.range FROM range(10000000) a, range(1000) b ORDER BY hash(a.range)",
    "SELECT count(DISTINCT hash(range)) FROM range(10000000000)",
    "SELECT generate_series(1, 10000000000)",
    "SELECT unnest(range(10000000000))",
    "SELECT pg_sleep(100)",
    "SELECT * FROM repeat_row(1, num_rows = 10000000000)",
)


def main(root: Path) -> None:
    from archive import Archive, QueryRefused, QueryTimeout
    from jobs.cli.commands import QUERY_MEMORY
    from jobs.executors.memory import limited_memory

    archive = Archive(root)
    places = {"file": root.parent / "secret.csv", "out": root.parent / "stolen", "root": root}
    for kind, queries in (("forbidden", FORBIDDEN), ("harmless", HARMLESS), ("heavy", HEAVY)):
        for sql in queries:
            begin = time.monotonic()
            asked = sql.format(**places) if "{" in sql else sql
            try:
                with limited_memory(QUERY_MEMORY):
                    answer = archive.query(asked, time_limit_s=SECONDS)
                outcome, said = "answered", str(answer.slice(0, 50))
            except (QueryRefused, QueryTimeout) as error:
                outcome, said = type(error).__name__, str(error)
            except Exception as error:  # noqa: BLE001 - what must not happen is for the test to say
                outcome, said = f"raised {type(error).__name__}", str(error)
            report = {"kind": kind, "sql": sql[:100], "outcome": outcome, "said": said[:5000]}
            report |= {"seconds": time.monotonic() - begin, "peak_mib": memory_kib("VmHWM") / 1024}
            sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
