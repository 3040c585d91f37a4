#!/bin/sh
# Prints running, success or failed for a job id of submit.sh.
cat ".snakemake/cluster-generic/$1"
