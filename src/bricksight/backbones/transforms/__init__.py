"""Transforms from one backbone to another.

multi_scale     adds features of earlier layers
rotation_tta    averages features over rotated copies of the photo
batch_norm      adapts the batch-norm statistics to the photos
fine_tuned      replaces the weights by fine-tuned ones
"""
