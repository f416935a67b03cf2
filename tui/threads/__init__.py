"""What the application does in threads: reading snapshots and pages, carrying out requests.

Process: the application.
May import: tui.session, tui.viewmodel, tui.formatting, tui.config, engine.
Must never: touch a widget from a thread; a result goes to the loop as a message or a callback.
"""
