"""Requests of people, typed, and carried out on a project's state: one handler per kind.

Process: the supervisor, between two turns of its loop; where none runs, the command or the
application that makes the request, under the project's lock. `models.restarts_tasks`
and `models.choose_new` only read, and commands and dialogs call them before they make a request.
May import: engine.state, engine.captioners, engine.images and what lies below them, and db.
Must never: import engine.supervisor, whose part in a request is the protocol
`running_supervisor.RunningSupervisor`, or touch the screen: an answer is a text and values.
"""
