"""Decode image files to RGB pixels."""
