"""Files and folders.

files         atomic writes, checksums, the cache folder
places        output paths that are reserved and tested before any work
locks         locked temporary folders, removal of those of killed processes
disk          reasons why a path cannot be written, and advice
native_path   paths that libraries in C++ can open
csv_files     CSV tables whose cells are safe in a spreadsheet
photo_names   file name extensions of photos
walk          recursive search for photos
"""
