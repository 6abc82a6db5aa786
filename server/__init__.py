"""What the app needs to serve many people: batching, metrics, logs and an orderly end."""
