#!/bin/sh
# The image's entry point: starts Python without the environment, which holds the credentials.
#
# Python reads the environment from descriptor 9, after it has forked the process whose forks decode
# strangers' photos: what was never in a process need not be wiped from it. Three names say how
# libraries are found and memory is managed; Python wants them when it starts.
#
# A pipe holds 64 KiB, and the environment of a function 4. Without /proc, Python starts as it is.
# -I, -S: without what the environment or a folder could add to Python's start. -B: the root file
# system is read-only. -u: an execution environment is frozen between invocations, and a line in a
# buffer would come out late, or never.
python='/usr/bin/python3 -ISBu /var/runtime/start.pyc'
exec 9<<END
END
command export -p >/proc/self/fd/9 || exec $python "$@"
exec /usr/bin/env -i \
    ${LC_ALL+LC_ALL="$LC_ALL"} \
    ${LD_LIBRARY_PATH+LD_LIBRARY_PATH="$LD_LIBRARY_PATH"} \
    ${MALLOC_ARENA_MAX+MALLOC_ARENA_MAX="$MALLOC_ARENA_MAX"} \
    $python --environment 9 "$@"
