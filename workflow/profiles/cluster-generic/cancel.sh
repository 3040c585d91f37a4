#!/bin/sh
# cancel.sh ID... ends jobs. Snakemake waits 2 s for it, so the slow parts go on in the background.
lsf='' sge=''
for id in "$@"; do
    job=.snakemake/cluster-generic/$id
    read -r scheduler number _ < "$job/job" || continue
    [ -e "$job/end" ] && continue
    case $scheduler in
        lsf) lsf="$lsf $number" ;;
        sge) sge="$sge $number" ;;
        background) # asks the whole group of processes to end, and ends it after 10 s
            case $(ps -ww -o args= -p "$number") in
                *"$id"* | *submit.sh*) (kill -TERM "-$number" && sleep 10 && kill -KILL "-$number") > /dev/null 2>&1 & ;;
            esac
            ;;
    esac
    echo "- cancelled" > "$job/end"
done
# shellcheck disable=SC2086  # one argument for each number
{
    [ -z "$lsf" ] || bkill $lsf > /dev/null 2>&1 &
    [ -z "$sge" ] || qdel $sge > /dev/null 2>&1 &
}
