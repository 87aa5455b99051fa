#!/bin/sh
# The zones, where they are not there yet; a key for rndc that is this container's own; named.
set -e

container-update --init
install -d -o bind -g bind /run/named
rndc-confgen -a -u bind 2>/dev/null

exec named -g -u bind -c /srv/data/named.conf
