"""Backbones made of a backbone.

multi_scale     features from several depths
rotation_tta    features averaged over rotated copies of the photo
batch_norm      batch normalisation adapted to the photos that it will see
fine_tuned      the weights that a fine-tuning gave
"""
