"""Small helpers that know nothing of photos and networks.

filesystem/       files and folders: atomic writes, locks, search for photos
untrusted/        validation of untrusted input: JSON, model files, file names
fusion            one answer from several probabilities
lazy              names of a package that are imported on first use
lettering         text on images, with fonts for every script
library_errors    conversion of library errors to BricksightError
native_log        suppression of log messages that native code writes to stderr
optional          packages that need not be installed
plotting          matplotlib without a screen
text              text for messages: safe names, numbers with nouns
threads           parallel map with threads
"""
