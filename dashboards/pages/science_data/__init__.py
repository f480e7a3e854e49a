"""Science files: a table, the content of a file, and the form that reconstructs images from it."""
