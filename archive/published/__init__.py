"""Reading a published archive over HTTP: no server is needed, only files."""
