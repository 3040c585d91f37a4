"""finser: reproducible speech emotion recognition, from recordings to a report.

Packages are in the order of the flow: corpora, synthetic, fetching, audio, splits, features, scores, training, fins, models, classifiers,
evaluation, summary, report. A module imports only from its own package, from packages before it, and from the helpers (cards, config,
emotions, errors, files, hosts, layout, machine, progress, project, seeds, workers).
"""
