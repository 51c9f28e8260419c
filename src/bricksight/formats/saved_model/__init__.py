"""TensorFlow SavedModel, whose signatures are verified each."""
