#!/bin/sh
# Build the TensorRT engine on this board, if there is none yet, and verify it on golden photos.
# Options are passed to classify.py: sh build.sh --workspace 128
set -eu

if [ -r /proc/meminfo ]; then
    awk '/^MemAvailable/ { ram = $2 } /^SwapFree/ { swap = $2 }
         END { printf "Free: %d MiB of memory, %d MiB of swap.\n", ram / 1024, swap / 1024
               if (ram + swap < 2 * 1024 * 1024)
                   print "That may be too little to build; see README.md, \"Memory\"." }' \
        /proc/meminfo >&2
fi
exec python3 "$(dirname "$0")/classify.py" --selftest "$@"
