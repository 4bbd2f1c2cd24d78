"""Maps of a week as plain files for other programs: one mosaic of the AOI, with styles, true colour and STAC items."""
