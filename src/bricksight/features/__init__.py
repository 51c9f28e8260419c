"""Photos → features: the frozen network compiled for LiteRT, run on all cores, once a photo."""

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
from bricksight.features._extract import PLAIN, FeatureSet, Views, extract
from bricksight.features.labeled_features import LabeledFeatures

__all__ = [
    "CACHE_FILE",
    "PLAIN",
    "CacheEntry",
    "CompiledBackbone",
    "FeatureCache",
    "FeatureSet",
    "LabeledFeatures",
    "Views",
    "compile_backbone",
    "default_cache_path",
    "extract",
    "kept_cache_path",
    "list_entries",
    "prune_entries",
]
