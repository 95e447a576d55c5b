"""`netspec profile`: its numbers, its forms, its picture."""
