"""The application in a browser, through textual-serve: who may see it, and the server.

Process: `mllmaug-tui web`, which starts an application for each browser window.
May import: engine.process, engine.utils.
Must never: import the application, which runs in processes of its own, or listen beyond loopback.
"""
