"""Validation of untrusted input: JSON, model files and file names.

    fields      schemas for JSON values
    json_files  JSON with limits for size and depth
    folders     paths that stay inside their folder, checksums of files
    graphs      TensorFlow graphs without access to files, network or programs
    keras_files .keras files of standard layers
    onnx_files  ONNX files with external weights

See docs/reference/security.md for what is checked and what is not.
"""
