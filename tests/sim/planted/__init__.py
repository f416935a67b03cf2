"""The checker is checked: bugs planted into the product, each of which the simulation must find.

`patches` holds one bug a file: a sentence that says what it is, and a small diff of the product.
`python -m tests.sim.planted` plants each into a copy of the tree, and runs schedules there from
seed 0 on until something is violated. A patch that no longer applies is an error: write it anew, so
that the same bug is planted into the code as it is now.
"""
