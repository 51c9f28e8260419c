"""Describe a backbone stage by stage: layers, shapes, parameters, multiply-adds."""
