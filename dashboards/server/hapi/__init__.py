"""Light curves, flares and tracks for programs of heliophysics: HAPI 3.2, in CSV, binary and JSON.

`standard` has what the standard prescribes: errors, times, parameters. `datasets` says what is served, `requested`
reads the parameters of a request, `records` writes the formats, `documents` describes, `handlers` answers.
"""
