"""This installation: its private folder, who listens on its ports, which optional packages it has."""
