"""One module per page. A page arranges components around a state; it decides nothing."""
