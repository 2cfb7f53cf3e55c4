"""HTML pages of the report and the plan."""
