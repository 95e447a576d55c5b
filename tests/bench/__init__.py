"""The bench: what it counts and tells, the nets it builds in other libraries, its processes."""
