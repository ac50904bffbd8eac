"""The recurrence in compiled C."""
