"""The Deep Interest Evolution Network, taken apart: the package behind the book.

`dien_edu.reference` holds the equations, `dien_edu.data` the clicks, `dien_edu.layers` one file an
idea, `dien_edu.models` the networks, `dien_edu.training` what trains and scores them.
"""

__version__ = "0.1.0"
