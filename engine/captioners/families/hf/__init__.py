"""The `hf` family: any model that transformers' AutoModelForImageTextToText loads.

Processor, chat template and weights come with the checkpoint, and each picture is asked exactly as
the processor's authors ask it (`question`). Code from the checkpoint is never run: its configs are
looked at first (`checkpoints.foreign_code`), every load says so as well, and a template is rendered
in a process of its own. Torchvision is not needed: video processors, which need it, are left out.
"""
