"""What comes of a training: figures, warnings, files, summaries."""
