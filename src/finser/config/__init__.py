"""params.yaml: its schema, its presets, its documentation."""
