"""The HTTP API: routes, response models, and the checks before a request is served."""
