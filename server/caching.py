"""Values of the header `Cache-Control`: whether browsers keep an answer."""

IMMUTABLE = "public, max-age=31536000, immutable"
"""They keep it for good: another content has another address."""

NO_CACHE = "no-cache"
"""They ask each time whether it has changed."""
