"""`netspec profile`: where the time of a net goes, layer by layer, beside what the machine allows.

Each launch of the compiled program is timed by itself: on the numbers that a whole step left, in the mode in which the program runs it, in
the program's order, in several rounds that begin with a whole step; medians. The launches of a layer add up, forward and backward apart.
Beside the sum stands the time of a whole step: the two differ by what launches find in the caches and by the waking of threads.

Operations are those of the formulas, a multiply-add being two; bytes are those of each tensor that a launch reads or writes, once. Peak and
bandwidth are the best of those measured in the same rounds. A layer is bound by `compute` where its operations at the peak take longer than
its bytes at the bandwidth; else by `memory`, or by a `cache` where what a thread moves at a time fits into its second-level cache.

The JSON form:

- `net`, `mode` (`infer`; `train`, a whole step; `gradients`, for a net that does not say its optimizer), `batch`, `threads`, `target`,
  `layout` (what lies along the lanes: `channels` or `images`), `rounds`
- `peak_gflops`, `memory_gbytes_per_second`, `cache_gbytes_per_second`: what the machine does with all threads
- `step_ms`: a whole step; `sum_ms`: all parts; `loading_ms`: what runs once when weights are loaded, in neither
- `layers`, `others` (copies of inputs and outputs, loss, optimizer): objects with `name`, `kind` (`conv+relu`), `share_of_time` (of the
  sum), `forward` and `backward`: null, or `ms`, `operations`, `bytes`, `gflops`, `share_of_peak`, `intensity` (operations per byte),
  `bound`, `share_of_roof` (1: peak and bandwidth allow no more), `mode` (`together`, `by_image`, `apart`) and `tile` (rows x vectors x
  lanes) of the longest launch, and `launches`, each with `name`, `ms`, `mode`, `tile`
- `free`: layers that take no launch
"""

from __future__ import annotations

from netspec.profile.measure import Question, profile
from netspec.profile.results import Profile, as_json
from netspec.profile.roofline import svg, write
from netspec.profile.table import table

__all__ = ["Profile", "Question", "as_json", "profile", "svg", "table", "write"]
