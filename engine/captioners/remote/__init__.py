"""Captioning by a server: a captioner that is a client of any OpenAI-compatible one.

Process: the worker; commands that check or try a model.
May import: `captioners.{registry,settings,base,address,api_keys}`, `engine.images`, `engine.utils`,
`engine.protocol.caption_row`, `db.rows`.
Must never: import torch or a family; store or show an API key; fail a record for a server's fault.

The subpackage `engines` has the servers that the worker itself starts.
"""
