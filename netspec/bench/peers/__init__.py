"""How each candidate builds a net, and what its best settings are."""
