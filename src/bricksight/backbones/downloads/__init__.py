"""Download files over HTTP, and unpack archives safely.

download    downloads a file, resumable and limited in size and time
archive     downloads an archive and unpacks it inside a folder
tar         reads the members of a tar archive in bounded memory
lock        lets one process at a time write a file
"""
