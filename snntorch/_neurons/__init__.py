"""The neuron models, one file each."""
