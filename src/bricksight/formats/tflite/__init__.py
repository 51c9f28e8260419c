"""LiteRT (formerly TensorFlow Lite)."""
