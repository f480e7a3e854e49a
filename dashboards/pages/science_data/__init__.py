"""Science files: a table, the content of a file, and the form for reconstructing images from it."""
