"""Small helpers that know nothing of photos and networks.

filesystem/       files and folders: written whole or not at all, claimed, walked through
untrusted/        what comes from strangers, checked before it is used
fusion            one answer from several probabilities
lazy              names of a package that are loaded when they are first used
lettering         fonts that have the letters of a label
library_errors    errors of other libraries, told as ours
native_log        notices that native code writes to stderr
optional          packages that need not be installed
plotting          matplotlib without a screen
text              names made safe to print, numbers and nouns
threads           work in threads, in order
"""
