"""The captioning process: loads one model at a time and turns records into rows.

`worker` is the process: its messages, its loads, its exit. A `caption_loop` is one loaded model
with the records of one attempt: `local_loop` in this process, `remote_loop` on a server.

Process: worker only.
May import: `captioners`, `protocol`, `images`, `hardware`, `process`, `utils`.
Must never: import the project, the state, the supervisor or SQL, or anything in this file.
"""
