"""The index: tables of files, flares, runs and images, kept as Parquet files and read with DuckDB.

`schema` and `series` declare the tables, in terms of `columns`. `write` replaces the file of a month, and `migrations`
changes the layout. `reader` runs queries, with `read_model`, a DuckDB copy that makes them fast. `filters`, `order` and
`rows` select pages of rows, and `sql` has their SQL. `records` keeps the rows of a run beside its images
(``run.json``); `old_chi2` converts χ² of earlier versions.
"""
