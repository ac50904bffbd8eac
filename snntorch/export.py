"""The export to NIR by its older name, see :mod:`snntorch.export_nir`."""

from snntorch.export_nir import export_to_nir

__all__ = ["export_to_nir"]
