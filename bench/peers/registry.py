"""The one table of ways to a Jacobian: a new one is a file beside this one and a line here."""

from __future__ import annotations

from bench.peers import differences, ours
from bench.peers.peer import Peer

PEERS: dict[str, Peer] = {peer.name: peer for peer in (*ours.PEERS, differences.PEER)}
