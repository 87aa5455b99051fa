#!/bin/sh
# The server's own numbers, in Prometheus' text format.

said=$(rndc status) || exit 1
zones=$(printf '%s\n' "$said" | sed -n 's/^number of zones: \([0-9]*\) (\([0-9]*\) automatic.*/\1 \2/p')
clients=$(printf '%s\n' "$said" | sed -n 's/^tcp clients: \([0-9]*\).*/\1/p')
cat <<TEXT
# HELP bind_zones Zones that the server has, without its automatic ones.
# TYPE bind_zones gauge
bind_zones $((${zones% *} - ${zones#* }))
# HELP bind_tcp_clients Connections that are open now.
# TYPE bind_tcp_clients gauge
bind_tcp_clients ${clients:-0}
TEXT
