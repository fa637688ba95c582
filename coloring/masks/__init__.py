"""Masks: small patterns whose sets of vertices are the bits of Python's integers.

One operation on integers of a few hundred bits takes Python as long as one step of a loop, so that a search over sets
is ten times as quick as one over lists, without a compiler.
"""

from coloring.masks.neighbors import MOST_VERTICES as MOST_VERTICES
from coloring.masks.neighbors import Masks as Masks
from coloring.masks.neighbors import masks_of as masks_of
from coloring.masks.proper import Found as Found
from coloring.masks.proper import fewest as fewest
