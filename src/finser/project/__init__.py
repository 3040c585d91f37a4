"""The project's folder: dvc.yaml read as a graph, and checks before and after a stage runs."""
