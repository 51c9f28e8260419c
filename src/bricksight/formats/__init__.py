"""Export a classifier to model formats; each exported file is verified on real photos."""

from bricksight.formats._bundle import Exporter, export_bundle
from bricksight.formats._formats import (
    FORMATS,
    ExportedFile,
    Format,
    export,
    require_choice,
    require_packages,
)
from bricksight.formats.classifier import Classifier, build_classifier, load_classifier
from bricksight.formats.request import Choices, Request
from bricksight.formats.verification import Accuracy, Parity, ParityReference

__all__ = [
    "FORMATS",
    "Accuracy",
    "Choices",
    "Classifier",
    "ExportedFile",
    "Exporter",
    "Format",
    "Parity",
    "ParityReference",
    "Request",
    "build_classifier",
    "export",
    "export_bundle",
    "load_classifier",
    "require_choice",
    "require_packages",
]
