#!/bin/sh
# The image's entry point: starts Python without the environment, which holds the credentials.
#
# Python takes the environment after it has forked the process whose forks decode strangers' photos:
# what was never in a process need not be wiped from it. Three names say how libraries are found and
# memory is managed; Python wants them when it starts.
#
# Until then a copy of this shell holds it, and does nothing. Descriptor 9 is what the kernel shows of
# that process's environment: every byte, whatever a shell makes of it, and none once the process has
# ended. It ends when Python says so, or has ended itself: descriptor 7 is the end of a pipe that
# nobody else has. Without /proc, Python starts as it is.
# -I, -S: without what the environment or a folder could add to Python's start. -B: the root file
# system is read-only. -u: an execution environment is frozen between invocations, and a line in a
# buffer would come out late, or never.
python='/usr/bin/python3 -ISBu /var/runtime/start.pyc'
exec 8<<END
END
command exec 7>/proc/self/fd/8 || exec $python "$@"
(exec 7>&- && read -r _ <&8) &
command exec 9</proc/$!/environ || {
    exec 7>&- 8<&-
    wait
    exec $python "$@"
}
exec /usr/bin/env -i \
    ${LC_ALL+LC_ALL="$LC_ALL"} \
    ${LD_LIBRARY_PATH+LD_LIBRARY_PATH="$LD_LIBRARY_PATH"} \
    ${MALLOC_ARENA_MAX+MALLOC_ARENA_MAX="$MALLOC_ARENA_MAX"} \
    $python --environment 9 7 $! "$@" 8<&-
