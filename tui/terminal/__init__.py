"""The terminal around the application: how it draws images and takes a copied text.

Process: the application.
May import: tui.config, tui.formatting; textual-image, if it is installed.
Must never: import a screen or a widget.
"""
