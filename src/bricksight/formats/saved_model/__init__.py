"""Write a TensorFlow SavedModel and verify each of its signatures."""
