"""finser: reproducible speech emotion recognition, from recordings to a report.

Data flows one way, and a module imports only what stands to its left::

    corpora -> shards -> audio -> augment -> frames -> labels -> splits -> protocols
        -> metrics -> calibration -> fusion -> regression -> fins -> classifiers -> report

`errors`, `files`, `seeds`, `progress`, `workers`, `layout`, `emotions` and `params` are the helpers that everything may import.
"""
