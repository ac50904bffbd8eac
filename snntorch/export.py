"""Where the documentation of earlier releases has the export to NIR, see
:mod:`snntorch.export_nir`."""

from snntorch.export_nir import export_to_nir

__all__ = ["export_to_nir"]
