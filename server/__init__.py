"""The web server: search, galleries, routes, middleware, uploads, metrics and logs."""
