#!/bin/sh
# job.sh FOLDER runs the script of a job, on its node. A sign of life shows that it runs, and a file how it ended.
job=$1
touch "$job/beat"
# The loop ends with this process ($$), whatever ends it.
(while sleep "${FINSER_BEAT:-10}" && kill -0 $$; do touch "$job/beat"; done) > /dev/null 2>&1 &
sh "$job/script" >> "$job/log" 2>&1
status=$?
kill $! 2> /dev/null
echo "$status" > "$job/end.part" && mv "$job/end.part" "$job/end" # at once: status.sh must not see half a line
exit "$status"
