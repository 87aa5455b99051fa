"""What goes into images: the program ``container``, and the files that a build renders for it.

Pure but for the package's own data: what the build was told comes in as values, and a layer
comes out as bytes. Running builders and engines is `hookrunner.adapters.builder`'s.
"""
