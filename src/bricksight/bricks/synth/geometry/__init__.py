"""Meshes: how parts are made of surfaces, and how they lie."""
