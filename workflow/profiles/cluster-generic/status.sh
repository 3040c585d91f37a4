#!/bin/sh
# status.sh ID prints running, success or failed. For a failed job it says why in one line on standard error.
id=$1 job=.snakemake/cluster-generic/$1 limit=${FINSER_HEARTBEAT:-60}
read -r scheduler number name place 2> /dev/null < "$job/job" || {
    echo "error: job $id: .snakemake/cluster-generic has no record of it" >&2
    echo failed
    exit
}

running() {
    echo running
    exit
}

success() {
    echo success
    exit
}

fail() { # STATUS CAUSE, each - if unknown; a job that ended while we looked says itself how
    [ -s "$job/end" ] || echo "${1:--} $2" | sed 's/^0 /- /; s/ -$//' > "$job/end" # a job that failed with 0 never began
    ended
}

ended() { # ends here if `end` tells how the job ended: its exit status, and the cause that an earlier look found
    read -r status cause 2> /dev/null < "$job/end" || return
    # DVC's words: -9 if the shell that it starts became the command (bash), 137 if it waited for it (dash)
    if [ "$status" != 0 ] && grep -qs -e "exited with -9$" -e "exited with 137$" "$job/log"; then cause="its command was killed: perhaps out of memory"; fi
    case "$status $cause" in
        '0 '*) success ;;
        '- '*) words=$cause ;;
        '137 ') words="exit status 137, killed: perhaps out of memory" ;;
        12[89]* | 1[3-9][0-9]*) words="exit status $status, killed by signal $((status - 128))${cause:+, $cause}" ;;
        *) words="exit status $status${cause:+, $cause}" ;;
    esac
    echo "error: job $name ($id, $scheduler $number) failed: $words; log: $job/log" >&2
    echo failed
    exit
}

age() { # FILE: seconds since it changed; both times are of the file server, and opening a file asks the server for its time
    : < "$1"
    touch "$job/now"
    echo $(($(date -r "$job/now" +%s) - $(date -r "$1" +%s)))
}

silent() { # whether the job has begun and shows no sign of life
    [ -e "$job/beat" ] && [ "$(age "$job/beat")" -gt "$limit" ]
}

alive() { # for states in which the job should show signs of life
    if silent; then fail - "no sign of life for $limit s: its node or its process died"; fi
    known
}

known() {
    rm -f "$job/missing"
    running
}

missing() { # the scheduler does not know the job: it is new, or its record is late, or it vanished
    [ -e "$job/missing" ] || touch "$job/missing"
    if [ "$(age "$job/missing")" -gt "$limit" ]; then fail - "$scheduler does not know it any more"; fi
    running
}

# On this host the process itself tells. Its command line, which names the folder, tells it from a later process of the same number;
# in its first moment it is a copy of submit.sh.
background() {
    if [ "$place" != "$("$(dirname "$0")/place.sh")" ]; then alive; fi
    case $(ps -ww -o args= -p "$number") in *"$id"* | *submit.sh*) running ;; esac
    fail - "its process died: killed, perhaps out of memory"
}

lsf() {
    bjobs -noheader -o "stat exit_code exit_reason delimiter='|'" "$number" > "$job/answer" 2> "$job/error"
    IFS='|' read -r state status cause < "$job/answer"
    case $state in
        DONE) success ;;
        EXIT) fail "$status" "$cause" ;; # e.g. TERM_RUNLIMIT: job killed after reaching LSF run time limit
        RUN | UNKWN | ZOMBI) alive ;; # LSF cannot reach the host of UNKWN and ZOMBI
        ?*) known ;; # PEND, PROV, WAIT, and jobs that are suspended
    esac
    if grep -q "is not found" "$job/error"; then missing; fi
    running # LSF does not answer now
}

sge() {
    qstat -u "$(id -un)" > "$job/answer" 2> /dev/null || running # SGE does not answer now
    case $(awk -v number="$number" '$1 == number { print $5 }' "$job/answer") in
        *E*) fail - "SGE could not start it: qstat -j $number says why" ;;
        r | Rr | d*) alive ;; # SGE reports a job on a dead node as running, too
        ?*) known ;; # waiting, or suspended
    esac
    qacct -j "$number" > "$job/answer" 2> /dev/null || missing
    # A job that ran twice has two records: the last one counts. A cause is, e.g., 37 : qmaster enforced h_rt, h_cpu, or h_vmem limit
    cause=$(sed -n 's/^failed  *//p' "$job/answer" | tail -n 1 | tr -s ' ')
    status=$(awk '$1 == "exit_status" { status = $2 } END { print status }' "$job/answer")
    case "${cause%% *} $status" in
        '0 0') success ;;
        '0 '* | '100 '*) fail "$status" - ;; # 100: the job ended by a signal
        *) fail "$status" "SGE's code $cause" ;;
    esac
}

ended
"$scheduler"
