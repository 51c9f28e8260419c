#!/bin/sh
# Builds the TensorRT engine on this board and proves it on the golden photos.
# Options are passed on to classify.py: sh build.sh --workspace 128
set -eu
cd "$(dirname "$0")"

if [ -r /proc/meminfo ]; then
    awk '/^MemAvailable/ { ram = $2 } /^SwapFree/ { swap = $2 }
         END { printf "Free: %d MiB of memory, %d MiB of swap.\n", ram / 1024, swap / 1024
               if (ram + swap < 2 * 1024 * 1024)
                   print "That is little for building; see README.md, \"Memory\"." }' \
        /proc/meminfo >&2
fi
python3 classify.py --build "$@"
exec python3 classify.py --selftest "$@"
