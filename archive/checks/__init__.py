"""``stix-jobs check``: compares files, images, index, light curves and calibration, and repairs what differs.

`run.check` starts it. `findings` lists every kind of problem, with its code and its repair; `inspection` is the state
of a running check. `files` compares STIX files with their rows and `images` image files with theirs; `index`, `curves`,
`calibration` and `products` check the rest, and `contents` whether a file is whole. `rebuild` makes rows of images and
runs from image files.
"""
