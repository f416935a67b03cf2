"""The commands: one click command for everything that works without the application.

Process: commands; `run` and `demo --headless` also host the supervisor.
May import: click, rich, engine, db, tui.viewmodel, and of tui.formatting what needs no Textual.
`application.show` alone imports the application, when it is opened.
Must never: import Textual at the start, or torch.

A command imports what it needs inside its function, so that `--help` and the application start
fast. The modules beside `main` hold the commands by subject; `requests`, `options`, `output`,
`pilot_output` and `progress_bars` are what they share.
"""
