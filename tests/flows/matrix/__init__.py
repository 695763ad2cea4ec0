"""Flows of every shape, each with every behaviour: written, run and checked by rules.

`shapes`: graphs, and what is due of each by walking it in plain Python; `writing`: a flow's text;
`launching`: a run by the command line or by `Runner`; `behaviours`: what a flow is made to do
beside its shape, and how that is checked.
"""
