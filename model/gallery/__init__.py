"""Galleries: finding photos, their labels and credits, and building an index over them."""
