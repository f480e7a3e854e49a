"""The web server around the pages: routes, API, sign-in, fair use and downloads."""
