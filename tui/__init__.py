"""The terminal application and the command line, `mllmaug-tui`.

Process: the application and the commands; the supervisor too, which `mllmaug-tui run` hosts.
May import: engine, db, Textual, click, rich. torch and Ray only come in where a command needs them.
Must never: change a project while a supervisor runs but by a request to it.
"""
