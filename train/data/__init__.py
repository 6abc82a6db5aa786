"""Training data: pictures, frames, views, and batches."""
