"""The HTTP API: routes, response classes and the checks before them."""
