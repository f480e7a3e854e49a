"""``stix-jobs check``: compares files, images, index, light curves and calibration, and repairs what differs.

`run.check` starts it. `findings` lists every kind of problem, with its code and its repair; `inspection` is the state
of a running check; `files`, `images`, `index`, `curves` and `calibration` each check one part; `rebuild` makes rows of
images and runs from image files.
"""
