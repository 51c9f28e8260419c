"""Features of photos by a frozen backbone, compiled to LiteRT and cached by content."""

from bricksight.features._cache import (
    CACHE_FILE,
    CacheEntry,
    FeatureCache,
    default_cache_path,
    kept_cache_path,
    list_entries,
    prune_entries,
)
from bricksight.features._compile import CompiledBackbone, compile_backbone
from bricksight.features._extract import ORIGINAL, AugmentedCopies, FeatureSet, extract
from bricksight.features.extractor import FeatureExtractor
from bricksight.features.featurized_dataset import FeatureBackbone, FeaturizedDataset
from bricksight.features.labeled_features import LabeledFeatures

__all__ = [
    "CACHE_FILE",
    "ORIGINAL",
    "AugmentedCopies",
    "CacheEntry",
    "CompiledBackbone",
    "FeatureBackbone",
    "FeatureCache",
    "FeatureExtractor",
    "FeatureSet",
    "FeaturizedDataset",
    "LabeledFeatures",
    "compile_backbone",
    "default_cache_path",
    "extract",
    "kept_cache_path",
    "list_entries",
    "prune_entries",
]
