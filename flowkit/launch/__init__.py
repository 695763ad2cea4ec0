"""Running flows from programs: the engine on a thread, seen from anywhere.

* `programs`: `Runner`; `notebook`: `NBRunner`, for a flow in a cell; `executing`: `ExecutingRun`,
  `ExecutingTask`
* `driving`: a run on its thread, and all that it tells; `talk`: what importing a flow prints
* `following`: events and text that grow, and whoever follows them; `bell`: waking those who wait
* `options`, `parameter_texts`: what a program gives, in the words of a command line
"""

from __future__ import annotations

from flowkit.launch.executing import ExecutingRun, ExecutingStatus, ExecutingTask
from flowkit.launch.notebook import NBRunner
from flowkit.launch.programs import Runner

__all__ = ["ExecutingRun", "ExecutingStatus", "ExecutingTask", "NBRunner", "Runner"]
