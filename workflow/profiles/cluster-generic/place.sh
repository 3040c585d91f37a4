#!/bin/sh
# Prints the place whose process numbers this process can compare with its own: host, boot and, in a container, namespace.
echo "$(uname -n).$(cut -c 1-8 /proc/sys/kernel/random/boot_id).$(readlink /proc/self/ns/pid)"
