"""Random changes of training photos, and what is behind the object in them."""
