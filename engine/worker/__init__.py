"""The captioning process: loads one model at a time and turns records into rows.

Process: worker only.
May import: `captioners`, `protocol`, `images`, `hardware`, `process`, `utils`.
Must never: import the project, the state, the supervisor or SQL, or anything in this file.
"""
