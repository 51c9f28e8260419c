"""Files and folders.

files         read whole, written whole or not at all; caches
places        outputs that are claimed and tried before any work
locks         one process at a time; temporary folders that a killed run leaves
disk          why a place cannot be written, and what to do
native_path   paths that libraries in C++ can open
csv_files     tables whose cells are safe in a spreadsheet
photo_names   which files are taken for photos
walk          the one walk through folders of photos
"""
