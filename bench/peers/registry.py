"""The one table of ways to a Jacobian: a new one is a file beside this one and a line here."""

from __future__ import annotations

from bench.peers import autograd, casadi, differences, jax_functions, ours
from bench.peers.peer import Peer

OTHERS = (differences.PEER, casadi.PEER, casadi.NATIVE, jax_functions.ASDEX, jax_functions.JAX, autograd.PEER)
PEERS: dict[str, Peer] = {peer.name: peer for peer in (*ours.PEERS, *OTHERS)}
