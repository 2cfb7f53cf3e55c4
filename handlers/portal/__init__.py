"""The edge computer-vision portal's functions, on the new layout."""
