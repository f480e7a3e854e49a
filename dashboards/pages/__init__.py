"""One folder per page: its state, its view, and the components only it uses."""
