"""Feeds the app broken and hostile input."""
