"""Pictures: from a file or strokes to the frame that an encoder sees."""
