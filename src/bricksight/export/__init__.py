"""One file a format, each proved on real photos before anyone sees it."""

from bricksight.export._formats import FORMATS, ExportedFile, Format, export
from bricksight.export._proof import Proof
from bricksight.export.classifier import Classifier, build_classifier

__all__ = [
    "FORMATS",
    "Classifier",
    "ExportedFile",
    "Format",
    "Proof",
    "build_classifier",
    "export",
]
