"""What a net costs: operations, memory and energy, layer by layer."""
