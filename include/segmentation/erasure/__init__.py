"""The step that removes a customer everywhere, for each request in `ops.erasure_requests`."""
