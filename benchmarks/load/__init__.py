"""Load tests: archives as large as after many years, many visitors, bad input."""
