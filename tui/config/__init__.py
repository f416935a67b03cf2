"""The user's own configuration, outside any project: settings, key bindings, themes, files.

Process: the application.
May import: engine.utils, engine.captioners.api_keys; `keymap` and `themes` also Textual.
Must never: touch a project.
"""
