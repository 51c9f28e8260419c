"""Files of photos to RGB pixels."""
