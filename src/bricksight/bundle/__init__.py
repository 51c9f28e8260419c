"""The model folder on disk, which training writes and everything else reads.

    manifest.json       what the other files are, how photos are prepared, what was measured
    output_labels.txt   one label a line, in the order of the outputs
    output_graph.pb     frozen TensorFlow graph, Placeholder:0 → final_result:0
    saved_model/        TensorFlow SavedModel
    model.tflite        LiteRT
    head.npz            the trained layer alone: kernel and bias, and those of what is no class
    photos.csv          which photos were used for what
    report.html, metrics.json, summaries/

JSON, arrays and standard model files only, never a pickle. See docs/reference/bundle.md.
"""

from bricksight.bundle.bundle import (
    Bundle,
    add_export,
    as_bundle,
    bundle_around,
    new_bundle,
    open_bundle,
)
from bricksight.bundle.head import Head, redistribute_background
from bricksight.bundle.labels import read_labels
from bricksight.bundle.manifest import (
    EXPORTS,
    FORMAT_VERSION,
    HEAD,
    LABELS,
    MANIFEST,
    PHOTOS,
    Manifest,
    write_manifest,
)

__all__ = [
    "EXPORTS",
    "FORMAT_VERSION",
    "HEAD",
    "LABELS",
    "MANIFEST",
    "PHOTOS",
    "Bundle",
    "Head",
    "Manifest",
    "add_export",
    "as_bundle",
    "bundle_around",
    "new_bundle",
    "open_bundle",
    "read_labels",
    "redistribute_background",
    "write_manifest",
]
