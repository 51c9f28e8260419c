"""One file a format, each proved on real photos before anyone sees it."""

from bricksight.formats._bundle import Choices, Exporter, export_bundle
from bricksight.formats._formats import (
    FORMATS,
    ExportedFile,
    Format,
    export,
    require_choice,
    require_packages,
)
from bricksight.formats.classifier import Classifier, build_classifier, load_classifier
from bricksight.formats.request import Request
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
