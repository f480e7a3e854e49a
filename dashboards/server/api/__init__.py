"""``/api/v1``: the archive as JSON. Declared in `endpoints`; handlers and OpenAPI file follow."""
