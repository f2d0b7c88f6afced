"""Content credentials that are carried on: a new manifest, of which the photo is the ingredient.

Imported when the first photo comes that has some, where they are to be kept. It is the worker's: a
manifest store is a stranger's, and is parsed by the library of c2pa-rs. The signature is made on
the other side of the wall (docs/adr/0030).
"""
