"""What comes from strangers: JSON, model files and names of files, checked before they are used.

    fields      what a value of JSON may be
    json_files  JSON of bounded size and depth
    folders     names that stay inside their folder, and files that are compared with checksums
    graphs      TensorFlow graphs that only compute
    keras_files .keras files of standard layers
    onnx_files  ONNX files whose weights lie beside them

See docs/reference/security.md for what is checked and what is not.
"""
