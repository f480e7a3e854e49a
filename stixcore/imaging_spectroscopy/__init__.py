"""Images and spectra of the same data: spectra of regions, images of the components of a spectrum, electron maps.

`prepare_region_recipe` and `measure_regions` measure and fit the spectra of regions; `prepare_component_recipe` and
`component_images` separate the components of a spectrum; `prepare_electron_recipe` and `electron_maps` map the electron
flux. All start from a recipe of images and one of a spectrum of the same data (`recipe_pair`). The regions
themselves are in `stixcore.spectra.regions`.
"""
