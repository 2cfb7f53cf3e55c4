"""The edge computer-vision portal: its new layout, its jobs, its components and its records."""
