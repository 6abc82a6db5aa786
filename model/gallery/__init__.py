"""Galleries: which photos, what is known of them, and how they are built."""
