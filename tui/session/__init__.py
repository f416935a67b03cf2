"""What the application and its screens share: the session, messages, notifications and copies.

Process: the application.
May import: tui.viewmodel, tui.terminal, tui.formatting, engine.
Must never: import tui.app, a screen, a dialog or a widget.
"""
