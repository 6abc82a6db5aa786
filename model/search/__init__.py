"""Search: engines for the nearest embeddings, the map of a gallery, and the search by drawing."""
