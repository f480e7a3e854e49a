"""The index: Parquet files, the read model made from them, their columns, and how rows are written and read."""
