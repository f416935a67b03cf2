"""How a demo checkpoint of each family is begun and saved: in the family's official files.

Each module has `begin(folder, corpus)`, which writes an untrained checkpoint and its tokenizer, and
`save(model, folder)`, which puts what was trained into those files, in float16. In between the
checkpoint is loaded by the captioner's own loader.
"""
