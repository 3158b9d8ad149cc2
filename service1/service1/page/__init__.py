"""`GET /`: the status page, made on the server, for eyes, keyboards and screen readers."""
