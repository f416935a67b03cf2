"""Other engines for LLaVA, as scripts that run in an environment of their own.

Such an environment has the engine and none of this project's code: a script imports nothing of ours
but `protocol`, which lies beside it.
"""
