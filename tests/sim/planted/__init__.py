"""The checker is checked: bugs planted into the product, each of which the simulation must find.

`patches` holds one bug a file: a sentence that says what it is, and a small diff of the product.
`python -m tests.sim.planted` plants each into a copy of the tree, and runs schedules there from
seed 0 on until something is violated. A patch that no longer applies is an error: write it anew, so
that the same bug is planted into the code as it is now.

When they were last counted, 18 of 39 were found within 4 seeds, 32 within 36, all within 291: those
took longest that need the clock set back at the right moment, a failed sync at the end of an
attempt, or a record that deserves suspicion on a device that has captioned nothing. A bug counts as
found only if the same seed violates nothing without it.
"""
