"""Files over HTTP and the archives in them.

download    a file, whole or absent, of bounded size and duration
archive     downloads an archive and unpacks it
tar         members that stay inside the folder
lock        one process at a time for one file
"""
