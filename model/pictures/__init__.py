"""Pictures: from a file or strokes to the frame that the encoder sees."""
