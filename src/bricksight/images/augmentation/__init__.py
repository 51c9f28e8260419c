"""Data augmentation: random transforms and background replacement."""
