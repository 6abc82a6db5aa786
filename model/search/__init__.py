"""Search: engines for the nearest embeddings, the map, and the search itself."""
