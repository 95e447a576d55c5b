"""The compiled back end beside the float64 reference: layers, tile tails, whole nets, vector math, targets, memory."""
