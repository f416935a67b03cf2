"""The use cases of commands and screens, one module each.

Process: the command or the application that a person uses. `tryout` and `reshear_job` also run in
child processes that they start.
May import: any package of the engine but `supervisor`, and `db`.
Must never: import `supervisor` or the user interface `tui`, or print: results are returned, and
progress is reported to a function.

There are many modules because each command (`samples`, `stats`, `doctor`, `pilot`, ...) and the
dialog or screen that does the same share one. A new use case gets a module of its own here.
"""
