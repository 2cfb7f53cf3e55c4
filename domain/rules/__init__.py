"""The declarative rules: templates, what they are compiled to, and the references that a rules file names."""
