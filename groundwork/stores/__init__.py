"""The edge to file systems: what is in a store is brought to a local path, and published from it.

Elsewhere a path is a path. `mirror` gives every URL a local place, brings what is there and
publishes what is written there; `ranges` reads parts of files; `schemes` says which URLs work.
"""
