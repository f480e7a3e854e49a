"""Writing the public part of an archive as files that any web server or object store can serve."""
