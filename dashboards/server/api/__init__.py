"""``/api/v1``: the archive as JSON. Handlers and the OpenAPI document are made from the declarations in `endpoints`."""
