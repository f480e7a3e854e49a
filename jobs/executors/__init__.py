"""Where tasks run: in this process, in child processes or on a Dask cluster."""
