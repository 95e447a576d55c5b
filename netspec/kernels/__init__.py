"""The kernel language: what a layer computes, as formulas over affine accesses. Imports nothing of the rest."""
