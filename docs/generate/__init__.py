"""The generated parts of the pages: what stands between `<!-- generated: NAME -->` and `<!-- end -->` comes from the program itself.

`python -m docs.generate` writes them anew.
"""
