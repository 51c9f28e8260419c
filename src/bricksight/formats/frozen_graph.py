"""Write a frozen graph, as retrain.py's ``output_graph.pb``: a ``GraphDef`` with its weights."""

from pathlib import Path

from bricksight.formats.classifier import Classifier
from bricksight.formats.request import Request


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the graph to the file ``path``."""
    path.write_bytes(classifier.graph_def_bytes)
