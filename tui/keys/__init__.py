"""The keys: one declaration for each action of the application and of its six screens.

Process: the application.
May import: tui.session, tui.viewmodel, db, engine.
Must never: import a screen, a dialog or a widget; whatever an action needs, its state says.
"""
