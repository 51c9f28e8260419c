"""Families of parts, one module a kind, each built from measurements in LDraw units."""
