"""Names for what a user can fix.

Every message says what was found (the value, the path), what was expected, and what to do.
"""


class BricksightError(Exception):
    """Base of every error that a user can fix; the command line prints it and exits with 1."""


class ConfigError(BricksightError, ValueError):
    """A setting has a value that cannot be used; the command line exits with 2."""


class DataError(BricksightError):
    """A folder of photos cannot be used as it is."""


class ImageError(DataError):
    """One file cannot be read as a photo; the message is the reason alone, without the path."""


class BackboneError(BricksightError):
    """A pretrained network was not found, not downloaded, or is not what it should be."""


class CacheError(BricksightError):
    """The folder of cached files cannot be used."""


class OutputError(BricksightError, OSError):
    """A file or folder cannot be written: no permission, a full disk, a place that is taken.

    Attributes:
        place: What was to be written; empty if the message says more than ``strerror``.
        strerror: The system's message.
        number: The system's errno.
    """

    place: str = ""
    number: int = 0


class BundleError(BricksightError):
    """A model folder is missing, damaged, or newer than this version reads."""


class UntrustedModelError(BundleError, BackboneError):
    """A model file may do more than compute, so it is only used when the user trusts it."""


class ExportError(BricksightError):
    """A file was written but does not give the answers that it should; it has been removed."""


class CameraError(BricksightError):
    """A camera, a video, a window or a photo of the camera's cannot be opened, or broke off."""


class PackError(BricksightError):
    """An installed domain pack cannot be used."""


class MissingPackageError(BricksightError, ImportError):
    """An optional package is not installed; the message is the command that installs it."""
