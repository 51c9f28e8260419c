"""Sources of pretrained networks: one file each, with the functions ``resolve`` and ``find``.

    tfhub                 https://tfhub.dev/..., and the caches of tensorflow_hub
    kaggle                kaggle:OWNER/MODEL/...
    keras_applications    keras:NAME
    saved_model           saved_model:PATH, a SavedModel or a Keras file on disk
    packaged              packaged:NAME, from an installed package or pack

Files whose names begin with an underscore read the file formats of these sources.
"""
