"""Quick-look light curves: the bins of all quick-look files as one series, and one-minute means for long time ranges.

They are derived from the files alone, and `write.rebuild_light_curves` remakes them at any time. `archive.index.series`
declares what is stored, `merge` combines files into one series, `minutes` makes the one-minute means, `write` updates
the series when files arrive, and `read` returns any time window at any resolution. `science` makes light curves from
pixel data and spectrograms when asked; they are not stored.
"""
