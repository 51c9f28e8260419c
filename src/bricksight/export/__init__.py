"""One file a format, each proved on real photos before anyone sees it."""

from bricksight.export._bundle import Choices, Exporter, export_bundle
from bricksight.export._formats import (
    FORMATS,
    ExportedFile,
    Format,
    export,
    require_choice,
    require_packages,
)
from bricksight.export._proof import Accuracy, Parity, ParityReference
from bricksight.export._request import Request
from bricksight.export.classifier import Classifier, build_classifier, load_classifier

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
