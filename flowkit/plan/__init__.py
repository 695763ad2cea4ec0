"""Deciding what runs next, purely.

`scheduler`: facts in, requests out. `events`: those facts and requests. `fan`: lazy fan-outs and
the joins that collect them. `admission`: slots, limits and resources. `resume`: which tasks of an
earlier run still hold.
"""
