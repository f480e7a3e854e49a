"""The web server around the pages: addresses of files, command line."""
