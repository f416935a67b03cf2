"""Writing demo checkpoints in the official files of each family, one module per family.

Process: the training of the demo checkpoints (`python -m engine.demo.train`); tests.
May import: `engine.captioners`, the other modules of `engine.demo`.
Must never: import a project, its state or a database.

Each family's module has `write_untrained(folder, corpus)`, which writes an untrained checkpoint and
its tokenizer, and `save_trained(model, folder)`, which puts trained weights into those files in
float16. In between the checkpoint is loaded by the family's own loader.
"""
