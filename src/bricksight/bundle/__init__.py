"""The bundle: the model folder that training writes.

    manifest.json       labels, preprocessing, metrics, checksums of the other files
    output_labels.txt   one label a line, in the order of the outputs
    output_graph.pb     frozen TensorFlow graph, Placeholder:0 → final_result:0
    saved_model/        TensorFlow SavedModel
    model.tflite        LiteRT
    head.npz            the head: kernel and bias
    photos.csv          the photos of the data set, each with its label and split
    report.html, metrics.json, summaries/

A bundle holds JSON, NumPy arrays and standard model files, never a pickle; see
docs/reference/bundle.md.
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
