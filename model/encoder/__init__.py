"""The encoder: frames to maps to embeddings, and why two pictures match."""
