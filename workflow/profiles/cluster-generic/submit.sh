#!/bin/sh
# submit.sh SCHEDULER THREADS MEGABYTES MINUTES GPUS NAME SCRIPT hands a job script to a scheduler and prints the job's id.
# The id names a folder in .snakemake/cluster-generic. It holds the script, its log and what status.sh needs:
#   job   scheduler, the scheduler's number of the job (background: process number), name; for background also this place
#   beat  touched every 10 s while the job runs
#   end   the exit status, when the job has ended
# FINSER_SUBMIT_OPTIONS: more options of bsub or qsub. FINSER_SGE_PE: SGE's parallel environment for one host; smp if unset.
set -eu
: "${FINSER_SUBMIT_OPTIONS:=}"
scheduler=$1 threads=$2 megabytes=$3 minutes=$4 gpus=$5 script=$7
here=$(dirname "$0") jobs=.snakemake/cluster-generic
name=$(printf %s "$6" | tr -c 'A-Za-z0-9_.-' _)

# Jobs that ended more than 7 days ago are forgotten.
mkdir -p "$jobs"
find "$jobs" -name end -mtime +7 | while read -r end; do rm -rf "${end%/end}"; done

job=$(mktemp -d "$jobs/$name.XXXXXXXX")
cp "$script" "$job/script"

# This machine: the job runs in a session of its own, so that no Ctrl-C or closed terminal ends it, and cancel.sh can end all of it.
# Nothing limits its cores, memory and time.
background() {
    setsid "$here/job.sh" "$job" > "$job/log" 2>&1 < /dev/null &
    number=$!
}

# LSF. The memory is that of the whole job on its host. If your lsb.params has RESOURCE_RESERVE_PER_TASK=Y, divide it by the threads.
# Units are written out, because LSF_UNIT_FOR_LIMITS changes the default. -gpu needs LSB_GPU_NEW_SYNTAX (default since 10.1.0.5).
# shellcheck disable=SC2086  # several options are several words
lsf() {
    if [ "$gpus" -gt 0 ]; then set -- -gpu "num=$gpus"; else set --; fi
    number=$(bsub $FINSER_SUBMIT_OPTIONS -J "finser-$name" -n "$threads" -R "span[hosts=1] rusage[mem=${megabytes}MB]" -M "${megabytes}MB" -W "$minutes" "$@" \
        -o "$job/log" "$here/job.sh" "$job" | sed -n 's/^Job <\([0-9]*\)> is submitted.*/\1/p')
}

# SGE. gpu is the usual name of the resource: qconf -sc lists yours.
# h_vmem limits virtual memory, per slot. CUDA maps far more than it uses, so a job with a GPU asks for free memory instead.
# shellcheck disable=SC2086
sge() {
    slot=$(((megabytes + threads - 1) / threads))
    if [ "$gpus" -gt 0 ]; then set -- -l "mem_free=${megabytes}M" -l "gpu=$gpus"; else set -- -l "h_vmem=${slot}M"; fi
    number=$(qsub $FINSER_SUBMIT_OPTIONS -terse -V -cwd -S /bin/sh -j y -o "$job/log" -N "finser-$name" -pe "${FINSER_SGE_PE:-smp}" "$threads" -l "h_rt=$((minutes * 60))" "$@" \
        "$here/job.sh" "$job")
}

case $scheduler in
    background | lsf | sge) "$scheduler" ;;
    *) echo "error: submit.sh knows background, lsf and sge, not $scheduler" >&2 && exit 2 ;;
esac
[ -n "$number" ] || { echo "error: $scheduler gave no number for $name" >&2 && exit 1; }
echo "$scheduler $number $name $("$here/place.sh")" > "$job/job"
basename "$job"
