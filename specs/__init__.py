"""The zoo: specs that ship with netspec. `netspec check resnet50` finds a net in them by its name."""
