"""Train your own image classifier from a folder of photos and run it on a small board."""

__version__ = "0.1.0.dev0"
