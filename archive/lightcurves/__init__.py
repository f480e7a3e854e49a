"""Quick-look light curves: the bins of all quick-look files as one series, and its one-minute means for long views.

Derived from the files and nothing else: `rebuild_light_curves` makes them anew at any time. Reading order: `tables`
(what is stored), `merge` (many files, one series), `minutes` (its one-minute means), `write` (when files arrive),
`read` (any window at any resolution).
"""
