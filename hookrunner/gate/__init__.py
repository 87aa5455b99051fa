"""The exec-only process in front of the engine's socket.

`table` is what may be executed, which the server and the gate share.
"""
