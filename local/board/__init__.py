"""The page for whoever owns the stack of this machine, at `/console/operator`: the figures of the template's dashboard.

It has the dashboard as it was deployed, so that each figure is defined once, in template.yaml. It is a package of its own,
imports nothing else of `local`, and is told by a `Source` what was measured. Other rooms import this module alone.
"""

from local.board.figures import Point, Series, Source
from local.board.page import Application, with_board

__all__ = ["Application", "Point", "Series", "Source", "with_board"]
