"""The project's folder: dvc.yaml as a graph of jobs, and checks before and after a stage runs."""
