#!/bin/sh
# Takes a job script, prints a job id. As it stands it runs the job in the background of this machine; put your scheduler's submit command here.
jobs=.snakemake/cluster-generic id=$(basename "$1").$$
mkdir -p $jobs && echo running > "$jobs/$id"
(if sh "$1" > "$jobs/$id.log" 2>&1; then echo success; else echo failed; fi > "$jobs/$id.end"; mv "$jobs/$id.end" "$jobs/$id") > /dev/null 2>&1 &
echo "$id"
