"""Where pretrained networks come from, one file each with ``resolve`` and ``find``.

    tfhub                 https://tfhub.dev/... and the caches of tensorflow_hub
    kaggle                kaggle:OWNER/MODEL/...
    keras_applications    keras:NAME
    saved_model           saved_model:PATH, a SavedModel or Keras file on disk
    packaged              packaged:NAME, what comes with this or another package

The files whose names begin with an underscore read the formats that these come in.
"""
